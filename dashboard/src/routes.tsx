// Which page is at which path. The server shows the dashboard at these (src/web/site.c).
import { AccountPage } from "./pages/account";
import { AuditPage } from "./pages/audit";
import { HelpPage } from "./pages/help";
import { PeoplePage } from "./pages/people";
import { TemplatePage } from "./pages/template";
import { TemplatesPage } from "./pages/templates";
import { TokensPage } from "./pages/tokens";
import { WorkspacePage } from "./pages/workspace";
import { WorkspacesPage } from "./pages/workspaces";
import type { Route } from "./router";
import { NotThere } from "./ui/not_there";

export const routes: Route[] = [
    { path: "/", page: WorkspacesPage },
    { path: "/workspaces/:owner/:name", page: WorkspacePage },
    { path: "/templates", page: TemplatesPage },
    { path: "/templates/:name", page: TemplatePage },
    { path: "/people", page: PeoplePage },
    { path: "/tokens", page: TokensPage },
    { path: "/account", page: AccountPage },
    { path: "/audit", page: AuditPage },
    { path: "/help", page: HelpPage },
];

export function NotFound() {
    return <NotThere what="This page" />;
}
