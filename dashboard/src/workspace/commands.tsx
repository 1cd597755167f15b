// What one sees here, as commands for one's own machine.
import { useSession, workspaceRef } from "../session";
import type { Policy, Ports } from "../types";
import { Command } from "../ui/basics";
import type { Place } from "./share";

interface Line {
    about: string;
    command: string;
    allowed?: boolean;
}

function lines(ref: string, port: number, policy: Policy | undefined): Line[] {
    const { local = true, remote = true } = policy?.forwarding ?? {};
    return [
        { about: "A port, on your own localhost", allowed: local,
            command: `adit port-forward ${ref} --tcp ${port}` },
        { about: "A shell", command: `adit ssh ${ref}` },
        { about: "ssh, scp, rsync and editors as adit." + ref.replace("/", "."),
            command: "adit config-ssh" },
        { about: "Be called back, by a debugger for one", allowed: remote,
            command: `adit port-forward ${ref} -R 9003:localhost:9003` },
        { about: "A SOCKS proxy into its network", allowed: local,
            command: `adit port-forward ${ref} -D 1080` },
        { about: "Its ports, as they come and go", command: `adit ports ${ref} --watch` },
    ];
}

export function Commands({ place, ports, policy, template }: {
    place: Place; ports: Ports | undefined; policy: Policy | undefined; template: string;
}) {
    const session = useSession();
    const ref = workspaceRef(session, place.owner, place.workspace,
        place.agent === "main" ? "" : place.agent);
    const open = ports?.ports?.filter((row) => row.listening && !row.forwarded_by) ?? [];
    const port = (open.find(({ share }) => share) ?? open.find(({ process }) => process) ??
        open[0])?.port ?? 8080;
    return (
        <section class="card panel" aria-labelledby="commands-title">
            <h2 id="commands-title">From your machine</h2>
            <ul class="commands">
                {lines(ref, port, policy).map(({ about, command, allowed = true }) => (
                    <li key={about}>
                        <p class="hint">{about}</p>
                        {allowed ? <Command text={command} label={about} />
                            : <p class="quiet">The template “{template}” does not allow this.</p>}
                    </li>
                ))}
            </ul>
        </section>
    );
}
