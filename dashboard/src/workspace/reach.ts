// Who can open a port or an app, in words.
import { owns, type Session } from "../session";
import type { Level, Share } from "../types";
import type { IconName } from "../ui/icons";

export const LEVELS: Level[] = ["owner", "users", "authenticated", "public"];

export const LEVEL_ICON: Record<Level, IconName> = {
    owner: "lock", users: "people", authenticated: "account", public: "globe",
};

export function higher(a: Level, b: Level): boolean {
    return LEVELS.indexOf(a) > LEVELS.indexOf(b);
}

function lower(a: Level, b: Level): Level {
    return higher(a, b) ? b : a;
}

function join(names: string[]): string {
    if (names.length < 2)
        return names.join("");
    return `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;
}

export function until(at: string | null | undefined): string {
    if (!at)
        return "";
    const date = new Date(at);
    const today = date.toDateString() === new Date().toDateString();
    const time = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
    const day = date.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
    return today ? ` until ${time}` : ` until ${day}, ${time}`;
}

interface Reached {
    level: Level;
    users?: string[];
    expires_at?: string | null;
}

export function reach(session: Session, owner: string, { level, users = [], expires_at }: Reached) {
    const mine = owns(session, owner);
    const first = mine ? "you" : owner;
    const many = users.length > 3 ? [...users.slice(0, 2), `${users.length - 2} more`] : users;
    const text = level === "public" ? "anyone with the link, without a log-in"
        : level === "authenticated" ? "everyone who can log in"
            : level === "users" && users.length ? join([first, ...many])
                : `only ${first}`;
    return text[0]!.toUpperCase() + text.slice(1) + until(expires_at);
}

// What counts of a share under the template's maximum.
export function effective(share: Share | null | undefined, max: Level): Reached {
    return share ? { ...share, level: lower(share.level, max) } : { level: "owner" };
}
