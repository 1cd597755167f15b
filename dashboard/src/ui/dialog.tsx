// Dialogs are the browser's own, which keeps the focus inside; afterwards it goes back to where it
// was.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";

import { ApiError, OfflineError } from "../api";
import { Button, Problem } from "./basics";

interface DialogProps {
    title: string;
    onClose: () => void;
    children: ComponentChildren;
    wide?: boolean;
}

export function Dialog({ title, onClose, children, wide }: DialogProps) {
    const ref = useRef<HTMLDialogElement>(null);
    const id = useId();
    useLayoutEffect(() => {
        const dialog = ref.current!;
        const opener = document.activeElement;
        dialog.showModal();
        return () => {
            dialog.close();
            // What opened it may be gone by now, as the row of a deleted thing is.
            setTimeout(() => {
                if (opener instanceof HTMLElement && opener.isConnected &&
                    !document.querySelector("dialog[open]"))
                    opener.focus();
            });
        };
    }, []);
    const onCancel = (event: Event) => {
        if (event.target !== ref.current)
            return;
        event.preventDefault();
        onClose();
    };
    return (
        <dialog ref={ref} class={wide ? "dialog wide" : "dialog"} aria-labelledby={id}
            onCancel={onCancel}>
            <header>
                <h2 id={id}>{title}</h2>
                <button type="button" class="icon-button" aria-label="Close" title="Close"
                    onClick={onClose}>
                    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
                        <path d="M6 6l12 12M18 6L6 18" />
                    </svg>
                </button>
            </header>
            {children}
        </dialog>
    );
}

// ---- sending a form ----

export interface Sending {
    busy: boolean;
    waiting: boolean; // the server cannot be reached; it is tried again
    error: Error | null;
    field: (name: string) => string | undefined;
    send: (work: (wait: { onWait: () => void; signal: AbortSignal }) => Promise<void>) =>
        Promise<boolean>;
    stop: () => void;
}

// The state of a form that is sent. What was typed stays where it is whatever happens.
export function useSending(): Sending {
    const [busy, setBusy] = useState(false);
    const [waiting, setWaiting] = useState(false);
    const [error, setError] = useState<Error | null>(null);
    const control = useRef<AbortController | null>(null);
    useEffect(() => () => control.current?.abort(), []);
    return {
        busy, waiting, error,
        field: (name) => error instanceof ApiError
            ? error.fields.find(({ field }) => field === name)?.message : undefined,
        send: async (work) => {
            if (busy)
                return false;
            control.current = new AbortController();
            setBusy(true);
            setError(null);
            try {
                await work({ onWait: () => setWaiting(true), signal: control.current.signal });
                return true;
            } catch (caught) {
                setError(caught as Error);
                return false;
            } finally {
                setBusy(false);
                setWaiting(false);
            }
        },
        stop: () => control.current?.abort(),
    };
}

// What went wrong, beyond the fields that show it themselves.
export function SendingProblem({ sending, fields = [] }: {
    sending: Sending; fields?: string[];
}) {
    const { error, waiting } = sending;
    if (waiting)
        return (
            <div class="problem waiting" role="status">
                <span class="spinner" aria-hidden="true" />
                <div>The connection to the server is lost. What you typed is kept; trying
                    again …</div>
                <Button onClick={sending.stop}>Stop trying</Button>
            </div>
        );
    if (!error)
        return null;
    if (error instanceof OfflineError)
        return (
            <Problem>The server cannot be reached. What you typed is kept: try again when the
                connection is back.</Problem>
        );
    if (!(error instanceof ApiError))
        return <Problem>This did not work: {error.message}</Problem>;
    if (error.status === 401)
        return (
            <Problem>{error.message} What you typed is kept:{" "}
                <a href="/login" target="_blank" rel="noopener">log in in a new tab</a>, then try
                again here.</Problem>
        );
    const others = error.fields.filter(({ field }) => !fields.includes(field));
    if (error.fields.length && !others.length)
        return null;
    return (
        <Problem>
            {error.message}
            {error.detail && <p>{error.detail}</p>}
            {others.length > 0 && others[0]!.message !== error.message && (
                <ul>
                    {others.map(({ field, message }) => <li key={field}>{field}: {message}</li>)}
                </ul>
            )}
        </Problem>
    );
}

interface FormDialogProps {
    title: string;
    action: string;
    danger?: boolean;
    disabled?: boolean;
    sending: Sending;
    fields?: string[]; // those that show their errors themselves
    onSubmit: () => void;
    onClose: () => void;
    children: ComponentChildren;
    extra?: ComponentChildren; // beside the buttons
    wide?: boolean;
}

export function FormDialog(props: FormDialogProps) {
    const { title, action, danger, disabled, sending, onSubmit, onClose, children } = props;
    const submit = (event: Event) => {
        event.preventDefault();
        if (!disabled)
            onSubmit();
    };
    return (
        <Dialog title={title} onClose={onClose} wide={props.wide}>
            <form onSubmit={submit} noValidate>
                <div class="dialog-body">{children}</div>
                <SendingProblem sending={sending} fields={props.fields} />
                <footer>
                    {props.extra}
                    <span class="gap" />
                    <Button onClick={onClose}>Cancel</Button>
                    <Button type="submit" look={danger ? "danger" : "main"} busy={sending.busy}
                        disabled={disabled}>{action}</Button>
                </footer>
            </form>
        </Dialog>
    );
}

interface ConfirmProps {
    title: string;
    name: string; // to be typed; empty: nothing is typed
    action: string;
    onConfirm: (wait: { onWait: () => void; signal: AbortSignal }) => Promise<void>;
    onClose: () => void;
    children: ComponentChildren;
}

// Asks before something is gone for good.
export function Confirm({ title, name, action, onConfirm, onClose, children }: ConfirmProps) {
    const [typed, setTyped] = useState("");
    const sending = useSending();
    const id = useId();
    return (
        <FormDialog title={title} action={action} danger sending={sending} onClose={onClose}
            disabled={typed.trim() !== name}
            onSubmit={() => void sending.send(onConfirm)}>
            {children}
            {name && (
                <div class="field">
                    <label for={id}>Type <strong class="mono">{name}</strong> to confirm</label>
                    <input id={id} value={typed} autoComplete="off" autoCapitalize="none"
                        spellcheck={false} onInput={(e) => setTyped(e.currentTarget.value)} />
                </div>
            )}
        </FormDialog>
    );
}
