// Real URLs on the client: the address bar, deep links, back and forward. A page change moves the
// focus to the new page's heading, which is also how screen readers hear of it.
import type { ComponentChildren, ComponentType, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

export type Params = Record<string, string>;

export interface Route {
    path: string; // "/workspaces/:owner/:name"
    page: ComponentType<{ params: Params }>;
}

const listeners = new Set<() => void>();
const guards = new Set<() => boolean>();
let moved = false;

function tell() {
    moved = true;
    listeners.forEach((listener) => listener());
}

let current = location.pathname + location.search;
window.addEventListener("popstate", () => {
    if (!mayLeave()) {
        history.pushState(null, "", current);
        return;
    }
    current = location.pathname + location.search;
    tell();
});

function mayLeave(): boolean {
    return [...guards].every((guard) => guard());
}

export function navigate(url: string, { replace = false, force = false } = {}): void {
    if (!force && !mayLeave())
        return;
    if (replace)
        history.replaceState(null, "", url);
    else
        history.pushState(null, "", url);
    const stays = new URL(url, location.href).pathname === new URL(current, location.href).pathname;
    current = location.pathname + location.search;
    tell();
    if (!stays)
        scrollTo(0, 0);
}

// Asks before leaving while there is something that would be lost.
export function useLeaveGuard(dirty: boolean): void {
    useEffect(() => {
        if (!dirty)
            return;
        const guard = () => confirm("What you typed here is not saved. Leave the page?");
        const unload = (event: BeforeUnloadEvent) => event.preventDefault();
        guards.add(guard);
        window.addEventListener("beforeunload", unload);
        return () => {
            guards.delete(guard);
            window.removeEventListener("beforeunload", unload);
        };
    }, [dirty]);
}

export function useUrl(): URL {
    const [url, setUrl] = useState(location.href);
    useEffect(() => {
        const listener = () => setUrl(location.href);
        listeners.add(listener);
        listener();
        return () => void listeners.delete(listener);
    }, []);
    return new URL(url);
}

export function match(routes: Route[], path: string): { route: Route; params: Params } | null {
    const parts = path.split("/");
    for (const route of routes) {
        const wanted = route.path.split("/");
        const params: Params = {};
        const fits = wanted.length === parts.length && wanted.every((want, i) => {
            if (!want.startsWith(":"))
                return want === parts[i];
            try {
                params[want.slice(1)] = decodeURIComponent(parts[i] ?? "");
            } catch {
                return false;
            }
            return parts[i] !== "";
        });
        if (fits)
            return { route, params };
    }
    return null;
}

type LinkProps = JSX.IntrinsicElements["a"] & { href: string; children?: ComponentChildren };

export function Link({ href, children, ...rest }: LinkProps) {
    const onClick = (event: MouseEvent) => {
        if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
            return;
        event.preventDefault();
        navigate(href);
    };
    return <a {...rest} href={href} onClick={onClick}>{children}</a>;
}

// The heading of a page, which also titles the window.
export function Title({ text, children }: { text: string; children?: ComponentChildren }) {
    useEffect(() => {
        document.title = text === "adit" ? text : `${text} – adit`;
        if (moved)
            document.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
        moved = false;
    }, [text]);
    return <h1 tabIndex={-1}>{children ?? text}</h1>;
}
