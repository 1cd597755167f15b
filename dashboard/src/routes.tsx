// Which page is at which path. The server shows the dashboard at these (src/web/site.c).
import { WorkspacePage } from "./pages/workspace";
import { WorkspacesPage } from "./pages/workspaces";
import type { Route } from "./router";
import { NotThere } from "./ui/not_there";

export const routes: Route[] = [
    { path: "/", page: WorkspacesPage },
    { path: "/workspaces/:owner/:name", page: WorkspacePage },
];

export function NotFound() {
    return <NotThere what="This page" />;
}
