// Live updates: one stream of server-sent events a tab (GET /api/v1/events), read by fetch, which,
// unlike EventSource, tells the status of a refusal and shows the keep-alives. An event is the
// complete new state of a topic, so that a reconnect needs nothing special. Where the stream is
// refused (too many of them), the same topics are asked for one by one.
import { useEffect, useState } from "preact/hooks";

import { ApiError, agentPath, get, getAll, noteLoggedOut, workspacePath } from "./api";
import type { SharedTarget, Workspace } from "./types";

type LiveState = "connecting" | "open" | "lost";

const BUSY_STATUS = [429, 503];
const SILENCE_MS = 40_000; // keep-alives come every 15 s
const ASK_EVERY_MS = 10_000;

const OF_NO_WORKSPACE = ["workspaces", "shared"];

const topics = new Map<string, unknown>();
const topicListeners = new Map<string, Set<() => void>>();
const stateListeners = new Set<() => void>();

let state: LiveState = "connecting";
let watched: string | null = null; // "OWNER/NAME"
let everybodys = false;
let running: AbortController | null = null;
let wake: (() => void) | null = null; // while topics are asked for one by one

function setState(next: LiveState) {
    if (state === next)
        return;
    state = next;
    stateListeners.forEach((listener) => listener());
}

function put(topic: string, value: unknown) {
    topics.set(topic, value);
    topicListeners.get(topic)?.forEach((listener) => listener());
}

function receive(event: string, text: string) {
    let value: { agent?: string };
    try {
        value = JSON.parse(text);
    } catch {
        return;
    }
    const scope = OF_NO_WORKSPACE.includes(event) ? "" : `${watched}`;
    put([event, scope, value.agent ?? ""].join(" "), value);
}

// ---- the stream ----

function parseBlock(block: string) {
    let event = "message";
    const data: string[] = [];
    for (const line of block.split(/\r\n|\n|\r/)) {
        if (line.startsWith("event:"))
            event = line.slice(6).trim();
        else if (line.startsWith("data:"))
            data.push(line.slice(line[5] === " " ? 6 : 5));
    }
    if (data.length)
        receive(event, data.join("\n"));
}

async function readStream(answer: Response, control: AbortController) {
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    let watchdog = 0;
    const stillThere = () => {
        clearTimeout(watchdog);
        watchdog = window.setTimeout(() => void reader.cancel(), SILENCE_MS);
    };
    try {
        for (; ;) {
            stillThere();
            const { done, value } = await reader.read();
            if (done || control.signal.aborted)
                return;
            rest += value;
            for (let end; (end = rest.search(/\n\n|\r\n\r\n/)) >= 0;) {
                parseBlock(rest.slice(0, end));
                rest = rest.slice(end).replace(/^(\r?\n){2}/, "");
            }
        }
    } finally {
        clearTimeout(watchdog);
    }
}

// ---- without the stream ----

async function askWorkspace(ref: string) {
    const [owner = "", name = ""] = ref.split("/");
    let workspace: Workspace;
    try {
        workspace = await get<Workspace>(workspacePath(owner, name));
    } catch (error) {
        if (error instanceof ApiError && error.status === 404)
            put(`workspace ${ref} `, { deleted: true });
        return;
    }
    put(`workspace ${ref} `, workspace);
    await Promise.all(workspace.agents.flatMap((agent) =>
        ["ports", "apps", "shares", "forwards"].map(async (topic) => {
            try {
                const value = await get<object>(`${agentPath(owner, name, agent.name)}/${topic}`);
                put(`${topic} ${ref} ${agent.name}`, value);
            } catch (error) {
                if (error instanceof ApiError)
                    put(`${topic} ${ref} ${agent.name}`, { failed: error.status });
            }
        })));
}

async function ask() {
    const list = await getAll<Workspace>(everybodys ? "/workspaces?all=true" : "/workspaces",
        "workspaces");
    put("workspaces  ", { workspaces: list });
    if (watched)
        await askWorkspace(watched);
    else
        put("shared  ", { shared: await getAll<SharedTarget>("/shared", "shared") });
}

// ---- life ----

function pause(ms: number, control: AbortController): Promise<void> {
    return new Promise((done) => {
        const timer = setTimeout(done, ms);
        const now = () => {
            clearTimeout(timer);
            done();
        };
        wake = now;
        control.signal.addEventListener("abort", now, { once: true });
        window.addEventListener("online", now, { once: true });
    });
}

async function attempt(control: AbortController): Promise<"ended" | "refused" | "lost"> {
    const ref = watched;
    const query = new URLSearchParams();
    if (ref)
        query.set("workspace", ref);
    if (everybodys)
        query.set("all", "true");
    try {
        const answer = await fetch(`/api/v1/events?${query}`, {
            signal: control.signal, credentials: "same-origin", cache: "no-store",
            headers: { Accept: "text/event-stream" },
        });
        if (answer.status === 401) {
            noteLoggedOut();
            return "lost";
        }
        if (answer.ok && answer.body) {
            setState("open");
            await readStream(answer, control);
            return "ended";
        }
        if (answer.status === 404 && ref)
            put(`workspace ${ref} `, { deleted: true });
        else if (!BUSY_STATUS.includes(answer.status))
            return "lost";
        await ask();
        setState("open");
        return "refused";
    } catch {
        return "lost";
    }
}

async function run(control: AbortController) {
    for (let wait = 300; !control.signal.aborted;) {
        const result = await attempt(control);
        if (control.signal.aborted)
            return;
        if (result === "lost")
            setState("lost");
        wait = result === "refused" ? ASK_EVERY_MS
            : result === "ended" ? 300 : Math.min(wait * 2, 8000);
        await pause(wait * (0.75 + Math.random() / 2), control);
    }
}

function restart() {
    running?.abort();
    running = null;
    // Browsers allow few connections to one host: a tab that nobody sees leaves its own.
    if (document.hidden)
        return;
    running = new AbortController();
    void run(running);
}

// After a change of one's own: shows it at once where no stream tells of it.
export function refreshLive(): void {
    wake?.();
}

export function startLive(all: boolean): void {
    everybodys = all;
    document.addEventListener("visibilitychange", restart);
    restart();
}

// The workspace that is looked at, besides the list; null: none.
export function watchWorkspace(ref: string | null): void {
    if (watched === ref)
        return;
    watched = ref;
    for (const key of topics.keys())
        if (!OF_NO_WORKSPACE.includes(key.split(" ")[0]!))
            topics.delete(key);
    if (running)
        restart();
}

export function useTopic<T>(topic: string, ref = "", agent = ""): T | undefined {
    const key = [topic, ref, agent].join(" ");
    const [, redraw] = useState(0);
    useEffect(() => {
        const listener = () => redraw((n) => n + 1);
        const set = topicListeners.get(key) ?? new Set();
        topicListeners.set(key, set.add(listener));
        redraw((n) => n + 1);
        return () => void set.delete(listener);
    }, [key]);
    return topics.get(key) as T | undefined;
}

export function useLiveState(): LiveState {
    const [, redraw] = useState(0);
    useEffect(() => {
        const listener = () => redraw((n) => n + 1);
        stateListeners.add(listener);
        return () => void stateListeners.delete(listener);
    }, []);
    return state;
}
