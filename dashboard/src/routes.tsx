// Which page is at which path. The server shows the dashboard at these (src/web/site.c).
import { WorkspacesPage } from "./pages/workspaces";
import { Link, Title, type Route } from "./router";

export const routes: Route[] = [
    { path: "/", page: WorkspacesPage },
];

export function NotFound() {
    return (
        <>
            <Title text="Not found" />
            <p>There is nothing here, or you may not see it.</p>
            <p><Link href="/">To the workspaces</Link></p>
        </>
    );
}
