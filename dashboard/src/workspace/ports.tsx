// The open ports of an agent, as they come and go, and those that are shared.
import { useEffect, useRef, useState } from "preact/hooks";

import { isAdmin, owns, useSession, workspaceRef } from "../session";
import type { Port, Ports, Protocol, Share, Shares } from "../types";
import { Badge, CopyButton, Empty, IconButton, Loading, announce, notify } from "../ui/basics";
import { Icon } from "../ui/icons";
import { QrDialog } from "./qr";
import { LEVEL_ICON, effective, higher, reach } from "./reach";
import { ShareDialog, putShare, sameShare, type Place } from "./share";

interface Row extends Port {
    share: Share | null;
}

// What is open and what is shared, as one list: shared ports stay although nothing listens.
function mergePorts(ports: Ports | undefined, shares: Shares | undefined,
    here: boolean): Row[] {
    const rows = new Map<number, Row>();
    for (const port of here ? ports?.ports ?? [] : [])
        rows.set(port.port, { ...port, share: port.share ?? null });
    if (shares) {
        for (const [number, row] of rows) {
            row.share = shares.shares.find(({ port }) => port === number) ?? null;
            if (!row.share && (!row.listening || row.forwarded_by))
                rows.delete(number);
        }
        for (const share of shares.shares)
            if (share.port && !rows.has(share.port))
                rows.set(share.port, {
                    port: share.port, listening: false, speaks: "unknown", url: share.url, share,
                });
    }
    return [...rows.values()].sort((a, b) =>
        Number(!!b.share) - Number(!!a.share) || a.port - b.port);
}

// ---- protocol ----

const KEY = "adit-protocols";

function readChosen(id: string): Protocol | undefined {
    try {
        return JSON.parse(localStorage.getItem(KEY) ?? "{}")[id];
    } catch {
        return undefined;
    }
}

function writeChosen(id: string, protocol: Protocol) {
    try {
        const all = JSON.parse(localStorage.getItem(KEY) ?? "{}");
        localStorage.setItem(KEY, JSON.stringify({ ...all, [id]: protocol }));
    } catch {
        // Not kept, then.
    }
}

// The URL of the port as HTTP or HTTPS: the host's label is PORT--… or PORTs--….
function urlAs(url: string, port: number, protocol: Protocol): string {
    return url.replace(new RegExp(`^(https?://)${port}s?--`),
        `$1${port}${protocol === "https" ? "s" : ""}--`);
}

function useProtocol(place: Place, row: Row): [Protocol, (protocol: Protocol) => void] {
    const id = `${place.owner}/${place.workspace}.${place.agent}:${row.port}`;
    const [chosen, setChosen] = useState(readChosen(id));
    const spoken: Protocol = row.speaks === "tls" ? "https" : "http";
    const choose = (protocol: Protocol) => {
        if (!row.share) {
            writeChosen(id, protocol);
            setChosen(protocol);
            return;
        }
        putShare(place, String(row.port), { ...sameShare(row.share), protocol }).then(
            () => notify(`Port ${row.port} is opened as ${protocol.toUpperCase()} now`),
            (error: Error) => notify(`The protocol was not changed: ${error.message}`, true));
    };
    return [row.share ? (row.speaks === "tls" ? "https" : row.share.protocol) : chosen ?? spoken,
        choose];
}

// ---- a row ----

const SPEAKS = { http: "HTTP", tls: "TLS", other: "not HTTP", unknown: "" };

interface PortRowProps {
    row: Row;
    place: Place;
    shares: Shares | undefined;
    template: string;
}

function PortActions({ row, place, url, protocol, setProtocol, onQr, onShare }: PortRowProps & {
    url: string | null; protocol: Protocol; setProtocol: (protocol: Protocol) => void;
    onQr: () => void; onShare: () => void;
}) {
    const session = useSession();
    const mine = owns(session, place.owner);
    const ref = workspaceRef(session, place.owner, place.workspace,
        place.agent === "main" ? "" : place.agent);
    const isWeb = row.speaks !== "other";
    const mayOpen = url && isWeb && (mine || isAdmin(session));
    return (
        <div class="port-actions">
            {url && isWeb && (mine || !row.share) && (
                <select class="small" aria-label={`Protocol of port ${row.port}`}
                    value={protocol} disabled={row.speaks === "tls" && !!row.share}
                    onChange={(e) => setProtocol(e.currentTarget.value as Protocol)}>
                    <option value="http">http</option>
                    <option value="https">https</option>
                </select>
            )}
            {mayOpen && (
                <a class="button small" href={url} target="_blank" rel="noopener">
                    <Icon name="open" />Open<span class="sr-only"> port {row.port}</span>
                </a>
            )}
            {mayOpen && <CopyButton text={url} label={`Copy the URL of port ${row.port}`} />}
            {mayOpen && <IconButton icon="qr" label={`QR code of port ${row.port}`}
                onClick={onQr} />}
            {mine && <CopyButton text={`adit port-forward ${ref} --tcp ${row.port}`}
                icon="terminal" label={`Copy the command that forwards port ${row.port}`} />}
            {mine && url && <IconButton icon="share" label={`Share port ${row.port}`}
                onClick={onShare} />}
        </div>
    );
}

// Beyond loopback, others on its network reach it without adit.
function whereText(address: string | undefined): string {
    if (!address || /^(127\.|\[?::1)/.test(address))
        return "";
    return /^(0\.0\.0\.0|\[?::\]?)$/.test(address) ? "on all addresses" : `on ${address}`;
}

// What is behind the port: a program of the workspace, or somebody's forward out of it.
function servedBy({ listening, forwarded_by, process }: Row): string {
    if (!listening)
        return "nothing listens";
    return forwarded_by ? `forwarded by ${forwarded_by} (-R)` : process || "unknown program";
}

function PortRow(props: PortRowProps) {
    const { row, place, shares, template } = props;
    const session = useSession();
    const [dialog, setDialog] = useState<"" | "qr" | "share">("");
    const [protocol, setProtocol] = useProtocol(place, row);
    const max = shares?.max_level ?? "owner";
    const counted = effective(row.share, max);
    const url = row.url ? urlAs(row.url, row.port, protocol) : null;
    const what = `port ${row.port}`;
    return (
        <li class={row.listening ? "row port-row" : "row port-row silent"}>
            <div class="port-number mono">{row.port}</div>
            <div class="port-what">
                <span class="port-process">
                    {servedBy(row)}
                </span>
                {row.pid ? <span class="quiet nowrap">pid {row.pid}</span> : null}
                {SPEAKS[row.speaks] && <Badge>{SPEAKS[row.speaks]}</Badge>}
                {row.listening && <span class="quiet">{whereText(row.address)}</span>}
            </div>
            <div class={`port-reach ${counted.level}`}>
                <Icon name={LEVEL_ICON[counted.level]} />
                <span>
                    {reach(session, place.owner, counted)}
                    {row.share && higher(row.share.level, max) && (
                        <span class="hint">less than was asked for: the template
                            “{template}” allows no more</span>
                    )}
                </span>
            </div>
            <PortActions {...props} url={url} protocol={protocol} setProtocol={setProtocol}
                onQr={() => setDialog("qr")} onShare={() => setDialog("share")} />
            {dialog === "qr" && url && (
                <QrDialog url={url} what={what} onClose={() => setDialog("")} />
            )}
            {dialog === "share" && (
                <ShareDialog place={place} target={String(row.port)} what={what} share={row.share}
                    isPort speaksTls={protocol === "https"} base="owner" max={max}
                    template={template} onClose={() => setDialog("")} />
            )}
        </li>
    );
}

// ---- the list ----

function useAnnouncedPorts(rows: Row[], ready: boolean) {
    const before = useRef<Set<number> | null>(null);
    const open = rows.filter(({ listening }) => listening);
    const key = open.map(({ port }) => port).join();
    useEffect(() => {
        if (!ready)
            return;
        const now = new Set(open.map(({ port }) => port));
        const said = before.current ? [
            ...open.filter(({ port }) => !before.current!.has(port))
                .map((row) => `Port ${row.port} has opened: ${servedBy(row)}`),
            ...[...before.current].filter((port) => !now.has(port))
                .map((port) => `Port ${port} has closed`),
        ] : [];
        before.current = now;
        if (said.length)
            announce(said.join(". "));
    }, [key, ready]);
}

export function PortsSection({ ports, shares, here, place, template }: {
    ports: Ports | undefined; shares: Shares | undefined; here: boolean; place: Place;
    template: string;
}) {
    const session = useSession();
    const rows = mergePorts(ports, shares, here);
    const loaded = !!ports?.ports || !here;
    useAnnouncedPorts(rows, loaded);
    return (
        <section class="section" aria-labelledby="ports-title">
            <div class="section-head">
                <h2 id="ports-title">Open ports</h2>
                <p class="hint">
                    {here ? "They appear here as programs start." : "Only those that are shared: " +
                        "the agent is not connected."}
                </p>
            </div>
            {!loaded ? <Loading what="Asking the agent …" /> : !rows.length ? (
                <Empty title={here ? "Nothing listens" : "Not connected"}>
                    <p>{here ? "Start a server in the workspace, and it appears here." :
                        "Open ports are shown as soon as the agent is there."}</p>
                </Empty>
            ) : (
                <ul class="rows" aria-label="Ports">
                    {rows.map((row) => (
                        <PortRow key={row.port} row={row} place={place} shares={shares}
                            template={template} />
                    ))}
                </ul>
            )}
            {!session.build.wildcard_url && (
                <p class="hint">This server has no wildcard URL, so that ports cannot be opened in
                    the browser; <code>adit port-forward</code> brings them to your machine.</p>
            )}
        </section>
    );
}
