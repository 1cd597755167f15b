// The frame around all pages, and what is known before they are drawn.
import { useEffect, useState } from "preact/hooks";

import { ApiError, call, get, onLoggedOut } from "./api";
import { startLive, useLiveState, watchWorkspace } from "./live";
import { Link, match, useUrl } from "./router";
import { NotFound, routes } from "./routes";
import { SetupPage } from "./pages/setup";
import { ROLE_TEXT, SessionContext, seesAll, useSession, type Session } from "./session";
import { applyTheme, readTheme, type Theme } from "./theme";
import type { Buildinfo, Me } from "./types";
import { Button, IconButton, Loading, Notices, Problem, announce } from "./ui/basics";
import { Icon, Logo, type IconName } from "./ui/icons";

export function Root() {
    return location.pathname === "/setup"
        ? <><SetupPage /><Notices /></>
        : <Start />;
}

function loginUrl(): string {
    const here = location.pathname + location.search;
    return here === "/" ? "/login" : `/login?next=${encodeURIComponent(here)}`;
}

function Start() {
    const [session, setSession] = useState<Session | null>(null);
    const [problem, setProblem] = useState("");
    const load = async () => {
        setProblem("");
        try {
            const onWait = () => setProblem("The server cannot be reached; trying again …");
            const [me, build] = await Promise.all(
                [get<Me>("/me", { onWait }), get<Buildinfo>("/buildinfo", { onWait })]);
            setProblem("");
            setSession({ me, build });
            startLive(me.user.role !== "member");
        } catch (error) {
            if (error instanceof ApiError && error.status === 401)
                location.replace(loginUrl());
            else
                setProblem((error as Error).message);
        }
    };
    useEffect(() => void load(), []);
    if (session)
        return <SessionContext.Provider value={session}><Frame /></SessionContext.Provider>;
    return (
        <div class="start">
            {problem ? <Problem onRetry={() => void load()}>{problem}</Problem>
                : <Loading what="Loading …" />}
        </div>
    );
}

// ---- navigation ----

interface Place {
    href: string;
    icon: IconName;
    text: string;
}

function places(session: Session): Place[] {
    const all: (Place | false)[] = [
        { href: "/", icon: "workspaces", text: "Workspaces" },
        { href: "/templates", icon: "templates", text: "Templates" },
        seesAll(session) && { href: "/people", icon: "people", text: "People" },
        { href: "/tokens", icon: "tokens", text: "Tokens" },
        { href: "/audit", icon: "audit", text: "Audit" },
        { href: "/help", icon: "help", text: "Help" },
    ];
    return all.filter((place) => place !== false);
}

function isHere(href: string, path: string): boolean {
    if (href === "/")
        return path === "/" || path.startsWith("/workspaces/");
    return path === href || path.startsWith(`${href}/`);
}

async function logOut() {
    try {
        await call("POST", "/logout");
    } catch (error) {
        if (!(error instanceof ApiError && error.status === 401)) {
            announce("The log-out did not work: the server cannot be reached");
            return;
        }
    }
    location.assign("/login");
}

const THEMES: { theme: Theme; icon: IconName; text: string }[] = [
    { theme: "auto", icon: "auto", text: "As the system" },
    { theme: "light", icon: "sun", text: "Light" },
    { theme: "dark", icon: "moon", text: "Dark" },
];

function ThemeSwitch() {
    const [theme, setTheme] = useState(readTheme());
    return (
        <div class="theme-switch" role="group" aria-label="Colours">
            {THEMES.map(({ theme: each, icon, text }) => (
                <IconButton key={each} icon={icon} label={text} aria-pressed={each === theme}
                    onClick={() => {
                        applyTheme(each);
                        setTheme(each);
                    }} />
            ))}
        </div>
    );
}

function Navigation({ path, open }: { path: string; open: boolean }) {
    const session = useSession();
    const { user } = session.me;
    return (
        <nav id="navigation" class={open ? "nav open" : "nav"} aria-label="Main">
            <ul>
                {places(session).map(({ href, icon, text }) => (
                    <li key={href}>
                        <Link href={href} aria-current={isHere(href, path) ? "page" : undefined}>
                            <Icon name={icon} />{text}
                        </Link>
                    </li>
                ))}
            </ul>
            <div class="nav-foot">
                <Link href="/account" class="who"
                    aria-current={path === "/account" ? "page" : undefined}>
                    <span class="avatar" aria-hidden="true">{user.name[0]?.toUpperCase()}</span>
                    <span class="who-text">
                        <strong>{user.display_name || user.name}</strong>
                        <span>{ROLE_TEXT[user.role]}</span>
                    </span>
                </Link>
                <div class="nav-row">
                    <ThemeSwitch />
                    <Button look="quiet" icon="logout" onClick={() => void logOut()}>
                        Log out
                    </Button>
                </div>
            </div>
        </nav>
    );
}

// ---- banners ----

function Banner({ loggedOut }: { loggedOut: boolean }) {
    const state = useLiveState();
    const [late, setLate] = useState(false);
    useEffect(() => {
        setLate(false);
        if (state !== "lost")
            return;
        const timer = setTimeout(() => setLate(true), 1000);
        return () => clearTimeout(timer);
    }, [state]);
    return (
        <div role="status" aria-live="polite">
            {loggedOut ? (
                <div class="banner bad">
                    <Icon name="alert" />
                    <span>You are not logged in any more.</span>
                    <a class="button" href={loginUrl()}>Log in again</a>
                </div>
            ) : late && (
                <div class="banner">
                    <span class="spinner" aria-hidden="true" />
                    <span>The connection to the server is lost. What you see may be old; trying
                        again …</span>
                </div>
            )}
        </div>
    );
}

function Frame() {
    const url = useUrl();
    const [open, setOpen] = useState(false);
    const [loggedOut, setLoggedOut] = useState(false);
    useEffect(() => onLoggedOut(() => setLoggedOut(true)), []);
    useEffect(() => setOpen(false), [url.href]);
    const found = match(routes, url.pathname);
    const { owner, name } = found?.params ?? {};
    useEffect(() => watchWorkspace(owner && name ? `${owner}/${name}` : null), [owner, name]);
    const Page = found?.route.page ?? NotFound;
    return (
        <div class="frame">
            <a class="skip" href="#main">Skip to the page</a>
            <div class="side">
                <div class="brand">
                    <Link href="/"><Logo />adit</Link>
                    <button type="button" class="icon-button menu-button" aria-expanded={open}
                        aria-controls="navigation" aria-label="Menu"
                        onClick={() => setOpen(!open)}>
                        <Icon name={open ? "close" : "menu"} />
                    </button>
                </div>
                <Navigation path={url.pathname} open={open} />
            </div>
            <main id="main" tabIndex={-1}>
                <Banner loggedOut={loggedOut} />
                <Page key={url.pathname} params={found?.params ?? {}} />
            </main>
            <Notices />
        </div>
    );
}
