// What other people share with who is logged in: by name, or with everyone who can log in.
import { useEffect, useRef, useState } from "preact/hooks";

import { useTopic } from "../live";
import type { Health, SharedTarget } from "../types";
import { CopyButton, IconButton, Status, announce, type Tone } from "../ui/basics";
import { Icon } from "../ui/icons";
import { QrDialog } from "../workspace/qr";
import { LEVEL_ICON, until } from "../workspace/reach";

interface State {
    tone: Tone;
    text: string;
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;

const HEALTH: Partial<Record<Health, State>> = {
    healthy: { tone: "good", text: "Healthy" },
    unhealthy: { tone: "bad", text: "Not healthy" },
    initializing: { tone: "idle", text: "Starting" },
};

function stateOf(item: SharedTarget): State {
    if (item.status !== "connected")
        return { tone: "warn", text: "Workspace away" };
    if (!item.port)
        return HEALTH[item.health ?? "unknown"] ?? { tone: "good", text: "Connected" };
    return item.listening ? { tone: "good", text: "Open" }
        : { tone: "idle", text: "Nothing listens" };
}

function nameOf({ port, slug, display_name }: SharedTarget): string {
    return port ? `Port ${port}` : display_name || slug || "";
}

function placeOf({ owner, workspace, agent }: SharedTarget): string {
    return `${owner}/${workspace}${agent === "main" ? "" : `.${agent}`}`;
}

function keyOf(item: SharedTarget): string {
    return `${placeOf(item)} ${item.port ?? item.slug}`;
}

// Without those whose time is over, of which the server says nothing.
function useUnexpired(list: SharedTarget[]): SharedTarget[] {
    const [, redraw] = useState(0);
    const now = Date.now();
    const ends = list.flatMap(({ expires_at }) => expires_at ? [Date.parse(expires_at)] : []);
    const next = Math.min(...ends.filter((end) => end > now));
    useEffect(() => {
        if (!Number.isFinite(next))
            return;
        const timer = setTimeout(() => redraw((n) => n + 1),
            Math.min(next - Date.now() + 50, LONGEST_TIMER_MS));
        return () => clearTimeout(timer);
    }, [next]);
    return list.filter(({ expires_at }) => !expires_at || Date.parse(expires_at) > now);
}

function useAnnouncedShares(list: SharedTarget[], ready: boolean) {
    const before = useRef<Map<string, string> | null>(null);
    const now = new Map(list.map((item) =>
        [keyOf(item), `${nameOf(item)} of ${placeOf(item)}`]));
    const key = [...now.keys()].join("\n");
    useEffect(() => {
        if (!ready)
            return;
        const said: string[] = [];
        if (before.current) {
            for (const [each, text] of now)
                if (!before.current.has(each))
                    said.push(`${text} is shared with you`);
            for (const [each, text] of before.current)
                if (!now.has(each))
                    said.push(`${text} is not shared with you any more`);
        }
        before.current = now;
        if (said.length)
            announce(said.join(". "));
    }, [key, ready]);
}

function Row({ item }: { item: SharedTarget }) {
    const [qr, setQr] = useState(false);
    const { tone, text } = stateOf(item);
    const what = `${nameOf(item)} of ${placeOf(item)}`;
    const level = item.level === "users" ? "users" : "authenticated";
    return (
        <li class="row shared-row">
            <div class="shared-what">
                <span class="shared-name">{nameOf(item)}</span>
                <span class="quiet">{placeOf(item)}</span>
            </div>
            <Status tone={tone}>{text}</Status>
            <div class={`port-reach ${level}`}>
                <Icon name={LEVEL_ICON[level]} />
                <span>{level === "users" ? "With you by name" : "With everyone who can log in"}
                    {until(item.expires_at)}</span>
            </div>
            <div class="port-actions">
                <a class="button small" href={item.url} target="_blank" rel="noopener">
                    <Icon name="open" />Open<span class="sr-only"> {what}</span>
                </a>
                <CopyButton text={item.url} label={`Copy the URL of ${what}`} />
                <IconButton icon="qr" label={`QR code of ${what}`} onClick={() => setQr(true)} />
            </div>
            {qr && <QrDialog url={item.url} what={what} onClose={() => setQr(false)} />}
        </li>
    );
}

export function SharedSection() {
    const told = useTopic<{ shared: SharedTarget[] }>("shared")?.shared;
    const list = useUnexpired(told ?? []);
    useAnnouncedShares(list, !!told);
    if (!list.length)
        return null;
    return (
        <section class="section" aria-labelledby="shared-title">
            <div class="section-head">
                <h2 id="shared-title">Shared with you</h2>
                <p class="hint">What others let you open in the browser.</p>
            </div>
            <ul class="rows" aria-label="Shared with you">
                {list.map((item) => <Row key={keyOf(item)} item={item} />)}
            </ul>
        </section>
    );
}
