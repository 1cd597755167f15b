// Whom a port or an app is shared with: chosen here, told in words before it is saved.
import { useId, useState } from "preact/hooks";

import { agentPath, call } from "../api";
import { refreshLive } from "../live";
import { owns, useSession } from "../session";
import type { Level, Protocol, Share, SharePut } from "../types";
import { Button, Field, announce, notify } from "../ui/basics";
import { FormDialog, useSending, type Sending } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { LEVELS, LEVEL_ICON, higher, reach, until } from "./reach";

export interface Place {
    owner: string;
    workspace: string;
    agent: string;
}

export function putShare(place: Place, target: string, body: SharePut, wait = {}) {
    const path = agentPath(place.owner, place.workspace, place.agent);
    return call<Share>("PUT", `${path}/shares/${encodeURIComponent(target)}`, body, wait)
        .finally(refreshLive);
}

// The body that leaves a share as it is.
export function sameShare(share: Share): SharePut {
    return {
        level: share.level, protocol: share.protocol, users: share.users,
        ...(share.expires_at && {
            expires_in: Math.max(1, Math.round((Date.parse(share.expires_at) - Date.now()) / 1000)),
        }),
    };
}

const LEVEL_TEXT: Record<Level, { title: string; text: string }> = {
    owner: { title: "Only the owner", text: "Nobody else, until you say so." },
    users: { title: "Chosen people", text: "Those you name, after they have logged in." },
    authenticated: { title: "Everyone who can log in", text: "All users of this server." },
    public: { title: "Anyone", text: "Whoever has the link, without a log-in." },
};

const EXPIRIES: [string, string][] = [
    ["", "never"], ["3600", "in an hour"], ["28800", "in 8 hours"], ["86400", "in a day"],
    ["604800", "in a week"], ["2592000", "in 30 days"],
];

// ---- people ----

function People({ names, onChange, error }: {
    names: string[]; onChange: (names: string[]) => void; error?: string;
}) {
    const [typed, setTyped] = useState("");
    const add = () => {
        const more = typed.split(/[\s,;]+/).map((name) => name.toLowerCase()).filter(Boolean);
        const all = [...new Set([...names, ...more])];
        if (more.length) {
            onChange(all);
            announce(`${more.join(", ")} added`);
        }
        setTyped("");
    };
    const onKeyDown = (event: KeyboardEvent) => {
        if ((event.key === "Enter" || event.key === ",") && typed.trim()) {
            event.preventDefault();
            add();
        }
    };
    const remove = (name: string) => {
        onChange(names.filter((each) => each !== name));
        announce(`${name} removed`);
    };
    return (
        <Field label="People" error={error} hint="Their user names; Enter adds one">
            {(a) => (
                <div>
                    {names.length > 0 && (
                        <ul class="chips" aria-label="People it is shared with">
                            {names.map((name) => (
                                <li key={name} class="chip">
                                    {name}
                                    <button type="button" aria-label={`Remove ${name}`}
                                        onClick={() => remove(name)}>
                                        <Icon name="close" />
                                    </button>
                                </li>
                            ))}
                        </ul>
                    )}
                    <div class="with-button">
                        <input {...a} value={typed} autoComplete="off" autoCapitalize="none"
                            spellcheck={false} onKeyDown={onKeyDown} onBlur={add}
                            onInput={(e) => setTyped(e.currentTarget.value)} />
                        <Button onClick={add}>Add</Button>
                    </div>
                </div>
            )}
        </Field>
    );
}

// ---- the dialog ----

interface ShareDialogProps {
    place: Place;
    target: string; // a port's number or a slug
    what: string; // "port 3000"
    share: Share | null;
    isPort: boolean;
    speaksTls?: boolean;
    base: Level; // without a share
    max: Level;
    template: string;
    onClose: () => void;
}

function Levels({ level, base, max, template, isPort, onChange }: {
    level: Level; base: Level; max: Level; template: string; isPort: boolean;
    onChange: (level: Level) => void;
}) {
    const group = useId();
    return (
        <fieldset class="choices">
            <legend>Who can open it</legend>
            {LEVELS.map((each) => {
                const over = higher(each, max);
                return (
                    <label key={each} class={over ? "choice off" : "choice"}>
                        <input type="radio" name={group} value={each} checked={each === level}
                            disabled={over} onChange={() => onChange(each)} />
                        <Icon name={LEVEL_ICON[each]} />
                        <span>
                            <strong>{LEVEL_TEXT[each].title}</strong>
                            {!isPort && each === base && <> (as the template says)</>}
                            <span class="hint">{over
                                ? `The template “${template}” does not allow this.`
                                : LEVEL_TEXT[each].text}</span>
                        </span>
                    </label>
                );
            })}
        </fieldset>
    );
}

function endShare(props: ShareDialogProps, sending: Sending) {
    const { place, target, onClose, what } = props;
    const path = agentPath(place.owner, place.workspace, place.agent);
    void sending.send(async (wait) => {
        await call("DELETE", `${path}/shares/${encodeURIComponent(target)}`, undefined, wait);
        refreshLive();
        notify(`The share of ${what} has ended`);
        onClose();
    });
}

export function ShareDialog(props: ShareDialogProps) {
    const { place, target, what, share, isPort, base, max, onClose } = props;
    const session = useSession();
    const [level, setLevel] = useState<Level>(share?.level ?? base);
    const [people, setPeople] = useState(share?.users ?? []);
    const [expiry, setExpiry] = useState(share?.expires_at ? "keep" : "");
    const [protocol, setProtocol] = useState<Protocol>(
        share?.protocol ?? (props.speaksTls ? "https" : "http"));
    const sending = useSending();
    const expiresAt = expiry === "keep" ? share?.expires_at
        : expiry ? new Date(Date.now() + Number(expiry) * 1000).toISOString() : null;
    const problem = higher(level, max) ? "The template does not allow this level any more."
        : level === "users" && !people.length ? "Name at least one person." : "";
    const save = () => void sending.send(async (wait) => {
        const body: SharePut = { level, ...(isPort && { protocol }) };
        if (level === "users")
            body.users = people;
        if (expiresAt)
            body.expires_in = Math.max(1, Math.round((Date.parse(expiresAt) - Date.now()) / 1000));
        const made = await putShare(place, target, body, wait);
        notify(`${what[0]!.toUpperCase()}${what.slice(1)}: ` +
            reach(session, place.owner, made));
        onClose();
    });
    return (
        <FormDialog title={`Share ${what}`} action="Save" sending={sending} onClose={onClose}
            fields={["users"]} disabled={!!problem} onSubmit={save}
            extra={share && <Button onClick={() => endShare(props, sending)}>Stop sharing</Button>}>
            <Levels level={level} base={base} max={max} template={props.template} isPort={isPort}
                onChange={setLevel} />
            {level === "users" && (
                <People names={people} onChange={setPeople} error={sending.field("users")} />
            )}
            <div class="fields">
                <Field label="Ends">
                    {(a) => (
                        <select {...a} value={expiry}
                            onChange={(e) => setExpiry(e.currentTarget.value)}>
                            {share?.expires_at && (
                                <option value="keep">as set:{until(share.expires_at)}</option>
                            )}
                            {EXPIRIES.map(([value, text]) => (
                                <option key={value} value={value}>{text}</option>
                            ))}
                        </select>
                    )}
                </Field>
                {isPort && (
                    <Field label="What listens speaks">
                        {(a) => (
                            <select {...a} value={protocol} onChange={(e) =>
                                setProtocol(e.currentTarget.value as Protocol)}>
                                <option value="http">HTTP</option>
                                <option value="https">HTTPS</option>
                            </select>
                        )}
                    </Field>
                )}
            </div>
            <p class={`reach-summary ${level}`} role="status">
                <Icon name={LEVEL_ICON[level]} />
                <span>
                    {problem || <>
                        <strong>{reach(session, place.owner,
                            { level, users: people, expires_at: expiresAt })}</strong> can open it.
                    </>}
                    {!problem && level === "owner" && owns(session, place.owner) &&
                        " Administrators of this server can, too, if it has a host of its own."}
                </span>
            </p>
        </FormDialog>
    );
}
