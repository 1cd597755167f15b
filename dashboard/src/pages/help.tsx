// How to begin with the command line.
import { Title } from "../router";
import { accessUrl, useSession } from "../session";
import { Command } from "../ui/basics";

interface Step {
    title: string;
    text: string;
    commands: string[];
}

function steps(url: string): Step[] {
    return [
        { title: "Log in", text: "Once on each machine. The log-in is kept in a file that only " +
            "you can read.", commands: [`adit login ${url}`, "adit list"] },
        { title: "Connect a workspace", text: "This prints the one command to run in it; the " +
            "agent dials out, so that no port must be open there.",
        commands: ["adit create dev"] },
        { title: "Bring ports to your machine", text: "TCP and UDP, other hosts that the " +
            "workspace sees, and ranges. A forward goes on by itself when the network comes back.",
        commands: ["adit port-forward dev --tcp 8888",
            "adit port-forward dev --tcp 5432:db.internal:5432 --udp 5353:53",
            "adit port-forward dev -D 1080"] },
        { title: "Be called back", text: "A listener in the workspace that leads to your " +
            "machine, for debuggers and webhooks.",
        commands: ["adit port-forward dev -R 9003:localhost:9003"] },
        { title: "SSH, and all that is built on it", text: "After config-ssh, ssh, scp, sftp, " +
            "rsync, git and editors know the workspace as adit.dev.",
        commands: ["adit ssh dev", "adit config-ssh", "scp -r project adit.dev:"] },
        { title: "Show what you made", text: "Every port that speaks HTTP has a URL; you say who " +
            "may open it.", commands: ["adit open dev 3000 --qr",
            "adit share dev 3000 --with anna,bob --expires 2h", "adit unshare dev 3000"] },
        { title: "See what is there", text: "Open ports as they come and go, what others share " +
            "with you, and what was done.",
        commands: ["adit ports dev --watch", "adit list --shared", "adit audit --since 1d"] },
        { title: "Find out what is slow", text: "What stands between you and the server, how a " +
            "workspace is reached, and how fast.",
        commands: ["adit netcheck", "adit ping dev", "adit speedtest dev"] },
    ];
}

export function HelpPage() {
    const session = useSession();
    return (
        <>
            <div class="page-head"><Title text="Help" /></div>
            <p class="lead">What this page does, the <code>adit</code> program does as well, and
                more: it brings ports to your own machine. <code>adit help COMMAND</code> explains
                each command.</p>
            <ol class="steps">
                {steps(accessUrl(session)).map(({ title, text, commands }) => (
                    <li key={title} class="card panel">
                        <h2>{title}</h2>
                        <p class="hint">{text}</p>
                        {commands.map((command) => <Command key={command} text={command} />)}
                    </li>
                ))}
            </ol>
            <p class="quiet">adit {session.build.version} at {accessUrl(session)}</p>
        </>
    );
}
