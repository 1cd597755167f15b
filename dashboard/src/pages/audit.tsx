// The record of who did what.
import { useEffect, useState } from "preact/hooks";

import { ApiError, get } from "../api";
import { Link, Title, navigate, useUrl } from "../router";
import { seesAll, useSession } from "../session";
import type { AuditEvent } from "../types";
import { Badge, Button, Empty, Field, Loading, Problem, bytes, notify } from "../ui/basics";

const ACTIONS = [
    "login", "logout", "setup", "user_create", "user_update", "user_delete", "token_create",
    "token_delete", "template_create", "template_update", "template_delete", "workspace_create",
    "workspace_delete", "agent_update", "agent_connect", "agent_disconnect", "share_set",
    "share_delete", "peer_open", "peer_close", "forward_open", "forward_close", "listen_open",
    "listen_close", "ssh_open", "ssh_close", "ssh_exec", "ssh_exit", "ssh_listen_open",
    "ssh_listen_close", "ssh_forward_open", "ssh_forward_close", "records_lost",
];
const SINCE: [string, string][] = [
    ["", "the beginning"], ["1h", "an hour ago"], ["24h", "a day ago"], ["7d", "a week ago"],
    ["30d", "30 days ago"],
];
const SECONDS: Record<string, number> = { h: 3600, d: 86_400 };
const EXPORT_MAX = 20_000;

interface Piece {
    events: AuditEvent[];
    next?: string | null;
}

// ---- asking ----

const FILTERS = ["since", "user", "workspace", "action"] as const;

function apiQuery(search: URLSearchParams): string {
    const query = new URLSearchParams();
    for (const name of FILTERS) {
        const value = search.get(name)?.trim();
        const relative = name === "since" && value?.match(/^(\d+)([hd])$/);
        if (relative)
            query.set(name, new Date(Date.now() -
                Number(relative[1]) * SECONDS[relative[2]!]! * 1000).toISOString());
        else if (value)
            query.set(name, value);
    }
    return query.toString();
}

function ask(query: string, after?: string | null, limit = 100): Promise<Piece> {
    const more = new URLSearchParams(query);
    more.set("limit", String(limit));
    if (after)
        more.set("after", after);
    return get<Piece>(`/audit?${more}`);
}

// ---- export ----

const COLUMNS: (keyof AuditEvent)[] = [
    "time", "action", "actor", "workspace", "agent", "target", "direction", "path", "bytes_in",
    "bytes_out", "duration_ms", "result", "ip", "id",
];

// RFC 4180; what a spreadsheet would take for a formula is kept a text.
function toCsv(events: AuditEvent[]): string {
    const cell = (value: unknown) => {
        const text = value === null || value === undefined ? "" : String(value);
        const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
        return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
    };
    return [COLUMNS.join(","), ...events.map((event) =>
        COLUMNS.map((column) => cell(event[column])).join(","))].join("\r\n") + "\r\n";
}

function download(name: string, type: string, text: string) {
    const url = URL.createObjectURL(new Blob([text], { type }));
    const link = document.createElement("a");
    link.href = url;
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

async function exportAll(query: string, kind: "json" | "csv", onCount: (n: number) => void) {
    const events: AuditEvent[] = [];
    let next: string | null | undefined;
    do {
        const piece = await ask(query, next, 300);
        events.push(...piece.events);
        next = piece.next;
        onCount(events.length);
    } while (next && events.length < EXPORT_MAX);
    const name = `adit-audit-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.${kind}`;
    if (kind === "json")
        download(name, "application/json", JSON.stringify(events, null, 2) + "\n");
    else
        download(name, "text/csv", toCsv(events));
    notify(next ? `The newest ${events.length} events are exported; narrow the filter for the rest`
        : `${events.length} events are exported`);
}

function Export({ query }: { query: string }) {
    const [count, setCount] = useState<number | null>(null);
    const run = async (kind: "json" | "csv") => {
        setCount(0);
        try {
            await exportAll(query, kind, setCount);
        } catch (error) {
            notify(`The export did not work: ${(error as Error).message}`, true);
        }
        setCount(null);
    };
    return (
        <div class="actions">
            {count !== null && <span class="quiet" role="status">{count} events …</span>}
            <Button icon="download" busy={count !== null} onClick={() => void run("json")}>
                JSON
            </Button>
            <Button icon="download" busy={count !== null} onClick={() => void run("csv")}>
                CSV
            </Button>
        </div>
    );
}

// ---- filters ----

function Filters({ search, problem }: { search: URLSearchParams; problem: ApiError | null }) {
    const session = useSession();
    const [values, setValues] = useState<Record<string, string>>({});
    const key = search.toString();
    useEffect(() => setValues(Object.fromEntries(search)), [key]);
    const error = (name: string) =>
        problem?.fields.find(({ field }) => field === name)?.message;
    const apply = (next: Record<string, string>) => {
        const query = new URLSearchParams(Object.entries(next).filter(([, value]) => value.trim()));
        navigate(query.size ? `/audit?${query}` : "/audit");
    };
    const input = (name: string, more: object = {}) => (a: object) => (
        <input {...a} {...more} value={values[name] ?? ""} autoComplete="off"
            autoCapitalize="none" spellcheck={false}
            onInput={(e) => setValues({ ...values, [name]: e.currentTarget.value })} />
    );
    return (
        <form class="card panel filters" role="search" aria-label="Filter the record"
            onSubmit={(event) => {
                event.preventDefault();
                apply(values);
            }}>
            <Field label="Since" error={error("since")}>
                {(a) => (
                    <select {...a} value={values.since ?? ""} onChange={(e) => {
                        const next = { ...values, since: e.currentTarget.value };
                        setValues(next);
                        apply(next);
                    }}>
                        {SINCE.map(([value, text]) => (
                            <option key={value} value={value}>{text}</option>
                        ))}
                    </select>
                )}
            </Field>
            {seesAll(session) && (
                <Field label="User" error={error("user")}>{input("user")}</Field>
            )}
            <Field label="Workspace" error={error("workspace")}>
                {input("workspace", { placeholder: "owner/name" })}
            </Field>
            <Field label="Action" error={error("action")}>
                {input("action", { list: "audit-actions", placeholder: "any" })}
            </Field>
            <datalist id="audit-actions">
                {ACTIONS.map((action) => <option key={action} value={action} />)}
            </datalist>
            <div class="filter-actions">
                <Button type="submit" look="main">Filter</Button>
                {search.size > 0 && <Button look="quiet" onClick={() => apply({})}>Clear</Button>}
            </div>
        </form>
    );
}

// ---- the record ----

function duration(ms: number | undefined): string {
    if (!ms)
        return "";
    const seconds = ms / 1000;
    return seconds < 1 ? `${ms} ms` : seconds < 60 ? `${seconds.toFixed(1)} s`
        : seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function details(event: AuditEvent): string {
    return [
        event.direction && (event.direction === "local" ? "into it" : "out of it"),
        event.path, (event.bytes_in || event.bytes_out) &&
        `${bytes(event.bytes_in)} in, ${bytes(event.bytes_out)} out`,
        duration(event.duration_ms),
    ].filter(Boolean).join(" · ");
}

function EventRow({ event }: { event: AuditEvent }) {
    const good = !event.result || event.result === "ok";
    return (
        <tr>
            <td data-label="Time" class="nowrap">
                <time dateTime={event.time} title={event.time}>
                    {new Date(event.time).toLocaleString("sv-SE")}
                </time>
            </td>
            <td data-label="Action"><Badge>{event.action}</Badge></td>
            <td data-label="Person" class="wrap">{event.actor}</td>
            <td data-label="Workspace" class="wrap">
                {event.workspace && (
                    <span>
                        <Link href={`/workspaces/${event.workspace}`}>{event.workspace}</Link>
                        {event.agent && event.agent !== "main" && `.${event.agent}`}
                    </span>
                )}
            </td>
            <td data-label="Target" class="wrap">
                {(event.target || details(event)) && (
                    <div>
                        <span class="mono">{event.target}</span>
                        {details(event) && <div class="hint">{details(event)}</div>}
                    </div>
                )}
            </td>
            <td data-label="Result" class={good ? "" : "bad-text wrap"}>{event.result}</td>
            <td data-label="From" class="mono nowrap">{event.ip}</td>
        </tr>
    );
}

function useRecord(query: string) {
    const [piece, setPiece] = useState<Piece | null>(null);
    const [error, setError] = useState<Error | null>(null);
    const [busy, setBusy] = useState(false);
    const [turn, setTurn] = useState(0);
    useEffect(() => {
        let wanted = true;
        setError(null);
        setBusy(true);
        ask(query).then((first) => wanted && setPiece(first),
            (caught: Error) => wanted && setError(caught))
            .finally(() => wanted && setBusy(false));
        return () => {
            wanted = false;
        };
    }, [query, turn]);
    const more = async () => {
        setBusy(true);
        try {
            const next = await ask(query, piece!.next);
            setPiece({ events: [...piece!.events, ...next.events], next: next.next });
        } catch (caught) {
            notify(`Older events could not be loaded: ${(caught as Error).message}`, true);
        }
        setBusy(false);
    };
    return { piece, error, busy, more, again: () => setTurn(turn + 1) };
}

export function AuditPage() {
    const { searchParams: search } = useUrl();
    const [query, setQuery] = useState(() => apiQuery(search));
    const key = search.toString();
    useEffect(() => setQuery(apiQuery(new URLSearchParams(key))), [key]);
    const { piece, error, busy, more, again } = useRecord(query);
    const problem = error instanceof ApiError ? error : null;
    return (
        <>
            <div class="page-head"><Title text="Audit" /><Export query={query} /></div>
            <Filters search={search} problem={problem} />
            {error && !problem?.fields.length && (
                <Problem onRetry={again}>{problem?.status === 404
                    ? "There is no such user or workspace, or you may not see it."
                    : error.message}</Problem>
            )}
            {!error && !piece && <Loading what="Loading the record …" />}
            {!error && piece && !piece.events.length && !piece.next && (
                <Empty title="Nothing on record">
                    <p>Nothing that happened fits the filter.</p>
                </Empty>
            )}
            {!error && piece && piece.events.length > 0 && (
                <div class="rows table-scroll" aria-busy={busy}>
                    <table class="stack audit">
                        <thead>
                            <tr>
                                <th scope="col">Time</th><th scope="col">Action</th>
                                <th scope="col">Person</th><th scope="col">Workspace</th>
                                <th scope="col">Target</th><th scope="col">Result</th>
                                <th scope="col">From</th>
                            </tr>
                        </thead>
                        <tbody>
                            {piece.events.map((event) => <EventRow key={event.id} event={event} />)}
                        </tbody>
                    </table>
                </div>
            )}
            {!error && piece?.next && (
                <p class="more-line">
                    <Button busy={busy} onClick={() => void more()}>Older events</Button>
                </p>
            )}
        </>
    );
}
