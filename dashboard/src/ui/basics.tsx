// Small pieces that every page uses.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

import { Icon, type IconName } from "./icons";

// ---- what is said to everybody, screen readers included ----

type Notice = { id: number; text: string; bad: boolean };
let notices: Notice[] = [];
let redrawNotices: () => void = () => undefined;
let nextNotice = 1;

export function notify(text: string, bad = false): void {
    const notice = { id: nextNotice++, text, bad };
    notices = [...notices.slice(-3), notice];
    redrawNotices();
    setTimeout(() => dismiss(notice.id), bad ? 12_000 : 6_000);
}

function dismiss(id: number) {
    notices = notices.filter((notice) => notice.id !== id);
    redrawNotices();
}

let say: (text: string) => void = () => undefined;

// Says something to screen readers only.
export function announce(text: string): void {
    say(text);
}

export function Notices() {
    const [, redraw] = useState(0);
    const [text, setText] = useState("");
    useEffect(() => {
        redrawNotices = () => redraw((n) => n + 1);
        say = setText;
    }, []);
    return (
        <>
            <div class="sr-only" role="status" aria-live="polite" id="announcer">{text}</div>
            <div class="notices" role="log" aria-live="polite" aria-label="Notices">
                {notices.map((notice) => (
                    <div key={notice.id} class={notice.bad ? "notice bad" : "notice"}>
                        <span>{notice.text}</span>
                        <IconButton icon="close" label="Dismiss"
                            onClick={() => dismiss(notice.id)} />
                    </div>
                ))}
            </div>
        </>
    );
}

// ---- buttons ----

type ButtonProps = JSX.IntrinsicElements["button"] & {
    icon?: IconName;
    look?: "main" | "quiet" | "danger";
    busy?: boolean;
    children?: ComponentChildren;
};

export function Button({ icon, look, busy, children, ...rest }: ButtonProps) {
    const names = ["button", look, busy && "busy", rest.class].filter(Boolean).join(" ");
    return (
        <button type="button" {...rest} class={names} aria-busy={busy || undefined}
            aria-disabled={busy || undefined}
            onClick={busy ? (event) => event.preventDefault() : rest.onClick}>
            {busy ? <span class="spinner" aria-hidden="true" /> : icon && <Icon name={icon} />}
            {children}
        </button>
    );
}

type IconButtonProps = JSX.IntrinsicElements["button"] & { icon: IconName; label: string };

export function IconButton({ icon, label, ...rest }: IconButtonProps) {
    return (
        <button type="button" {...rest} class={`icon-button ${rest.class ?? ""}`} aria-label={label}
            title={rest.title ?? label}>
            <Icon name={icon} />
        </button>
    );
}

// ---- copying ----

async function copyText(text: string, near: HTMLElement): Promise<boolean> {
    try {
        await navigator.clipboard.writeText(text);
        return true;
    } catch {
        // Without https there is no clipboard but the old one. The field is made beside the
        // button, because an open dialog keeps the focus within.
        const field = document.createElement("textarea");
        field.value = text;
        field.className = "sr-only";
        near.parentElement?.append(field);
        field.select();
        const done = document.execCommand("copy");
        field.remove();
        near.focus();
        return done;
    }
}

interface CopyProps {
    text: string;
    label: string; // what is copied: "Copy the URL"
    words?: string; // shown; without it there is only the icon
    icon?: IconName;
    look?: "main" | "quiet";
}

export function CopyButton({ text, label, words, icon = "copy", look }: CopyProps) {
    const [state, setState] = useState<"" | "done" | "failed">("");
    const timer = useRef(0);
    useEffect(() => () => clearTimeout(timer.current), []);
    const onClick = async (event: MouseEvent) => {
        const done = await copyText(text, event.currentTarget as HTMLElement);
        setState(done ? "done" : "failed");
        announce(done ? "Copied" : "The browser does not let pages copy; select the text instead");
        clearTimeout(timer.current);
        timer.current = window.setTimeout(() => {
            setState("");
            announce("");
        }, 2500);
    };
    const shown = state === "done" ? "check" : state === "failed" ? "alert" : icon;
    const title = state === "done" ? "Copied" : state === "failed" ? "Could not copy" : label;
    if (words)
        return (
            <Button icon={shown} look={look} onClick={onClick} title={title}
                class={state && `copy-${state}`}>
                {state === "done" ? "Copied" : words}
            </Button>
        );
    return (
        <IconButton icon={shown} label={label} title={title} onClick={onClick}
            class={state && `copy-${state}`} />
    );
}

// A command with its button.
export function Command({ text, label }: { text: string; label?: string }) {
    return (
        <div class="command">
            <code tabIndex={0} role="group" aria-label={label ?? "Command"}>{text}</code>
            <CopyButton text={text} label={`Copy: ${label ?? text}`} />
        </div>
    );
}

// ---- states ----

export type Tone = "good" | "warn" | "bad" | "idle";

export function Status({ tone, children }: { tone: Tone; children: ComponentChildren }) {
    return <span class={`status ${tone}`}><span class="dot" aria-hidden="true" />{children}</span>;
}

export function Badge({ children, tone, title }: {
    children: ComponentChildren; tone?: Tone | "accent"; title?: string;
}) {
    return <span class={`badge ${tone ?? ""}`} title={title}>{children}</span>;
}

// Shown from a moment on, so that what is quick does not flicker.
export function Loading({ what }: { what: string }) {
    const [shown, setShown] = useState(false);
    useEffect(() => {
        const timer = setTimeout(() => setShown(true), 250);
        return () => clearTimeout(timer);
    }, []);
    return (
        <div class="loading" role="status">
            {shown && <><span class="spinner" aria-hidden="true" />{what}</>}
        </div>
    );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
    return <div class="empty"><p class="empty-title">{title}</p>{children}</div>;
}

export function Problem({ children, onRetry }: {
    children: ComponentChildren; onRetry?: () => void;
}) {
    return (
        <div class="problem" role="alert">
            <Icon name="alert" />
            <div>{children}</div>
            {onRetry && <Button icon="refresh" onClick={onRetry}>Try again</Button>}
        </div>
    );
}

// ---- fields ----

interface FieldProps {
    label: string;
    hint?: ComponentChildren;
    error?: string;
    children: (attributes: {
        id: string; "aria-describedby"?: string; "aria-invalid"?: boolean;
    }) => ComponentChildren;
}

export function Field({ label, hint, error, children }: FieldProps) {
    const id = useId();
    const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
    return (
        <div class={error ? "field invalid" : "field"}>
            <label for={id}>{label}</label>
            {children({
                id, "aria-describedby": described || undefined,
                "aria-invalid": error ? true : undefined,
            })}
            {hint && <p class="hint" id={`${id}-hint`}>{hint}</p>}
            {error && <p class="field-error" id={`${id}-error`}>{error}</p>}
        </div>
    );
}

// `since`: for what began then; a start long ago is told by its date.
export function Time({ at, since }: { at: string | null | undefined; since?: boolean }) {
    const [, redraw] = useState(0);
    useEffect(() => {
        const timer = setInterval(() => redraw((n) => n + 1), 20_000);
        return () => clearInterval(timer);
    }, []);
    if (!at)
        return <span>never</span>;
    const date = new Date(at);
    return <time dateTime={at} title={date.toLocaleString()}>
        {since ? sinceText(date) : relative(date)}</time>;
}

const STEPS: [number, Intl.RelativeTimeFormatUnit][] = [
    [3600, "minute"], [86400, "hour"], [86400 * 30, "day"],
    [86400 * 365, "month"], [Infinity, "year"],
];
const SIZES = {
    minute: 60, hour: 3600, day: 86400, month: 86400 * 30, year: 86400 * 365,
};
const formatter = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export function relative(date: Date): string {
    const seconds = (date.getTime() - Date.now()) / 1000;
    if (Math.abs(seconds) < 60)
        return seconds > 0 ? "in a moment" : "just now";
    const [, unit] = STEPS.find(([limit]) => Math.abs(seconds) < limit)!;
    return formatter.format(Math.trunc(seconds / SIZES[unit as keyof typeof SIZES]), unit);
}

function sinceText(date: Date): string {
    const today = date.toDateString() === new Date().toDateString();
    const text = today ? date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })
        : date.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
    return `since ${text}`;
}

export function bytes(n: number | undefined): string {
    let value = n ?? 0;
    let unit = 0;
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    for (; value >= 1024 && unit < units.length - 1; unit++)
        value /= 1024;
    return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
