// What a page asks for once, and again when it says so.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

import { ApiError } from "../api";
import { Loading, Problem } from "./basics";

interface Loaded<T> {
    value: T | undefined;
    error: Error | undefined;
    waiting: boolean;
    reload: () => Promise<void>;
    set: (value: T) => void;
}

export function useLoaded<T>(
    load: (options: { onWait: () => void; signal: AbortSignal }) => Promise<T>, key: string,
): Loaded<T> {
    const [value, set] = useState<T>();
    const [error, setError] = useState<Error>();
    const [waiting, setWaiting] = useState(false);
    const run = async (signal: AbortSignal) => {
        try {
            const loaded = await load({ onWait: () => setWaiting(true), signal });
            if (signal.aborted)
                return;
            set(() => loaded);
            setError(undefined);
        } catch (caught) {
            if (!signal.aborted)
                setError(caught as Error);
        }
        if (!signal.aborted)
            setWaiting(false);
    };
    useEffect(() => {
        const control = new AbortController();
        void run(control.signal);
        return () => control.abort();
    }, [key]);
    return {
        value, error, waiting, reload: () => run(new AbortController().signal),
        set: (next) => set(() => next),
    };
}

export function Content<T>({ of, what, children }: {
    of: Loaded<T>; what: string; children: (value: T) => ComponentChildren;
}) {
    if (of.value !== undefined)
        return <>{children(of.value)}</>;
    if (of.error)
        return (
            <Problem onRetry={of.error instanceof ApiError && of.error.status < 500 ? undefined
                : () => void of.reload()}>{of.error.message}</Problem>
        );
    return <Loading what={of.waiting ? "The server cannot be reached; trying again …"
        : `Loading ${what} …`} />;
}
