import { Link, Title } from "../router";

export function NotThere({ what }: { what: string }) {
    return (
        <>
            <Title text="Not found" />
            <p>{what} does not exist, or you may not see it.</p>
            <p><Link href="/">To the workspaces</Link></p>
        </>
    );
}
