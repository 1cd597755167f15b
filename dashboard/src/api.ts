// Requests to the API. A failure is an ApiError (the server said no) or an OfflineError (nothing
// came).
import type { FieldError } from "./types";

export class ApiError extends Error {
    constructor(
        readonly status: number,
        message: string,
        readonly detail: string | undefined,
        readonly fields: FieldError[],
    ) {
        super(message);
    }
}

export class OfflineError extends Error {
    constructor() {
        super("The server cannot be reached.");
    }
}

type Listener = () => void;
const loggedOutListeners = new Set<Listener>();

// Called when a request was refused because nobody is logged in (any more).
export function onLoggedOut(listener: Listener): () => void {
    loggedOutListeners.add(listener);
    return () => loggedOutListeners.delete(listener);
}

export function noteLoggedOut(): void {
    loggedOutListeners.forEach((listener) => listener());
}

function sleep(ms: number): Promise<void> {
    return new Promise((done) => setTimeout(done, ms));
}

async function failure(answer: Response): Promise<ApiError> {
    let body: { message?: string; detail?: string; fields?: FieldError[] } = {};
    try {
        body = await answer.json();
    } catch {
        // A proxy in between answered: its status is all there is.
    }
    if (answer.status === 401 && !answer.url.endsWith("/api/v1/me/password"))
        noteLoggedOut();
    const message = body.message ?? `The server answered ${answer.status}; try again later.`;
    return new ApiError(answer.status, message, body.detail, body.fields ?? []);
}

async function once<T>(method: string, path: string, body: unknown): Promise<T> {
    let answer: Response;
    const headers: Record<string, string> = { Accept: "application/json" };
    if (method !== "GET")
        headers["Adit-Csrf"] = "1";
    if (body !== undefined)
        headers["Content-Type"] = "application/json";
    try {
        answer = await fetch(`/api/v1${path}`, {
            method, headers, credentials: "same-origin", redirect: "error", cache: "no-store",
            body: body === undefined ? undefined : JSON.stringify(body),
        });
    } catch {
        throw new OfflineError();
    }
    if (!answer.ok)
        throw await failure(answer);
    if (answer.status === 204)
        return undefined as T;
    try {
        return await answer.json();
    } catch {
        throw new OfflineError();
    }
}

interface CallOptions {
    // Told while no answer comes and the request is sent again.
    onWait?: () => void;
    signal?: AbortSignal;
}

const RETRY_FOR_MS = 90_000;

// Sends a request. What may be sent twice without harm is sent again while the server cannot be
// reached; a POST is not, because its first try may have arrived.
export async function call<T>(
    method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: unknown,
    options: CallOptions = {},
): Promise<T> {
    const until = Date.now() + RETRY_FOR_MS;
    for (let wait = 500; ; wait = Math.min(wait * 2, 4000)) {
        try {
            return await once<T>(method, path, body);
        } catch (error) {
            if (!(error instanceof OfflineError) || method === "POST" || Date.now() > until ||
                options.signal?.aborted)
                throw error;
            options.onWait?.();
        }
        await sleep(wait);
        if (options.signal?.aborted)
            throw new OfflineError();
    }
}

export const get = <T>(path: string, options?: CallOptions) =>
    call<T>("GET", path, undefined, options);

// All pieces of a list.
export async function getAll<T>(path: string, member: string): Promise<T[]> {
    const all: T[] = [];
    for (let after = ""; ;) {
        const joint = path.includes("?") ? "&" : "?";
        const piece = await get<Record<string, unknown>>(
            after ? `${path}${joint}after=${encodeURIComponent(after)}` : path);
        all.push(...(piece[member] as T[]));
        if (typeof piece.next !== "string")
            return all;
        after = piece.next;
    }
}

export function workspacePath(owner: string, name: string): string {
    return `/workspaces/${encodeURIComponent(owner)}/${encodeURIComponent(name)}`;
}

export function agentPath(owner: string, name: string, agent: string): string {
    return `${workspacePath(owner, name)}/agents/${encodeURIComponent(agent)}`;
}
