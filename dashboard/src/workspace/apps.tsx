// The apps that the template brings, as tiles.
import { useState } from "preact/hooks";

import { isAdmin, owns, useSession } from "../session";
import type { App, Apps, Health, Level, Policy } from "../types";
import { CopyButton, IconButton, Status, type Tone } from "../ui/basics";
import { Icon, isIcon } from "../ui/icons";
import { QrDialog } from "./qr";
import { LEVEL_ICON, higher, reach } from "./reach";
import { ShareDialog, type Place } from "./share";

const HEALTH: Record<Health, { tone: Tone; text: string } | null> = {
    unknown: null,
    disabled: null,
    healthy: { tone: "good", text: "Healthy" },
    unhealthy: { tone: "bad", text: "Not healthy" },
    initializing: { tone: "idle", text: "Starting" },
};

// A drawing of our own, or an image that is in the text itself. Nothing is loaded from elsewhere:
// for any other icon there is the first letter.
function AppIcon({ app, name }: { app: App; name: string }) {
    const icon = app.icon ?? "";
    const [broken, setBroken] = useState(false);
    const own = icon.startsWith("/") && !icon.startsWith("//");
    if ((icon.startsWith("data:image/") || own) && !broken)
        return <img class="app-icon" src={icon} alt="" onError={() => setBroken(true)} />;
    return (
        <span class="app-icon" aria-hidden="true">
            {isIcon(icon) ? <Icon name={icon} /> : name[0]?.toUpperCase()}
        </span>
    );
}

function AppTile({ app, place, policy, template }: {
    app: App; place: Place; policy: Policy | undefined; template: string;
}) {
    const session = useSession();
    const [dialog, setDialog] = useState<"" | "qr" | "share">("");
    const name = app.display_name || app.slug;
    const health = HEALTH[app.health ?? "unknown"];
    const mine = owns(session, place.owner);
    const mayOpen = app.url && (mine || isAdmin(session));
    const missing = app.own?.missing;
    const base: Level = policy?.apps.find(({ slug }) => slug === app.slug)?.share ??
        (app.own ? "owner" : app.share);
    const most = policy?.max_port_share_level ?? base;
    const counted = { level: app.share, users: app.own?.users, expires_at: app.own?.expires_at };
    const level = app.share === "users" && !app.own?.users.length ? "owner" : app.share;
    return (
        <li class={`card app-tile ${missing ? "silent" : ""}`}>
            <div class="app-head">
                <AppIcon app={app} name={name} />
                <div class="app-name">
                    {mayOpen && !missing ? (
                        <a class="app-link" href={app.url!} target="_blank" rel="noopener">
                            {name}<span class="sr-only"> (opens a new tab)</span>
                        </a>
                    ) : <span class="app-link">{name}</span>}
                    {missing ? <span class="hint">not in the template any more</span>
                        : health && <Status tone={health.tone}>{health.text}</Status>}
                </div>
            </div>
            <div class="app-foot">
                <span class={`port-reach ${level}`}>
                    <Icon name={LEVEL_ICON[level]} />
                    <span>{reach(session, place.owner, counted)}</span>
                </span>
                {mayOpen && !missing && <>
                    <CopyButton text={app.url!} label={`Copy the URL of ${name}`} />
                    <IconButton icon="qr" label={`QR code of ${name}`}
                        onClick={() => setDialog("qr")} />
                </>}
                {mine && <IconButton icon="share" label={`Share ${name}`}
                    onClick={() => setDialog("share")} />}
            </div>
            {dialog === "qr" && (
                <QrDialog url={app.url!} what={name} onClose={() => setDialog("")} />
            )}
            {dialog === "share" && (
                <ShareDialog place={place} target={app.slug} what={name} isPort={false}
                    share={app.own ?? null} base={base} max={higher(base, most) ? base : most}
                    template={template} onClose={() => setDialog("")} />
            )}
        </li>
    );
}

export function AppsSection({ apps, place, policy, template }: {
    apps: Apps | undefined; place: Place; policy: Policy | undefined; template: string;
}) {
    if (!apps?.apps?.length)
        return null;
    return (
        <section class="section" aria-labelledby="apps-title">
            <div class="section-head"><h2 id="apps-title">Apps</h2></div>
            <ul class="app-tiles">
                {apps.apps.map((app) => (
                    <AppTile key={app.slug} app={app} place={place} policy={policy}
                        template={template} />
                ))}
            </ul>
        </section>
    );
}
