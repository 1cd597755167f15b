// Who is logged in and what the server is: known before any page is drawn.
import { createContext } from "preact";
import { useContext } from "preact/hooks";

import type { Buildinfo, Me } from "./types";

export interface Session {
    me: Me;
    build: Buildinfo;
}

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
    return useContext(SessionContext)!;
}

export const isAdmin = ({ me }: Session) => me.user.role === "owner";
export const seesAll = ({ me }: Session) => me.user.role !== "member";
export const owns = ({ me }: Session, owner: string) => me.user.name === owner;

export const ROLE_TEXT = { owner: "Administrator", auditor: "Auditor", member: "Member" } as const;

export function accessUrl({ build }: Session): string {
    return build.access_url ?? location.origin;
}

// As the command line names a workspace.
export function workspaceRef(session: Session, owner: string, name: string, agent = ""): string {
    return (owns(session, owner) ? name : `${owner}/${name}`) + (agent ? `.${agent}` : "");
}
