// A URL for the camera of a phone.
import { encode } from "uqr";

import { Button, Command } from "../ui/basics";
import { Dialog } from "../ui/dialog";

export function QrDialog({ url, what, onClose }: {
    url: string; what: string; onClose: () => void;
}) {
    const { data, size } = encode(url, { border: 4 });
    const path = data.map((row, y) => row.map((dark, x) => dark ? `M${x} ${y}h1v1h-1z` : "")
        .join("")).join("");
    return (
        <Dialog title={`QR code of ${what}`} onClose={onClose}>
            <div class="dialog-body qr">
                <svg viewBox={`0 0 ${size} ${size}`} role="img" aria-label={`QR code of ${url}`}
                    shape-rendering="crispEdges">
                    <rect width={size} height={size} fill="#fff" />
                    <path d={path} fill="#000" />
                </svg>
                <Command text={url} label="URL" />
            </div>
            <footer><span class="gap" /><Button look="main" onClick={onClose}>Done</Button></footer>
        </Dialog>
    );
}
