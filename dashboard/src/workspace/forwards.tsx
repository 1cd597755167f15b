// The forwards that are open at the moment.
import type { Forward, Forwards } from "../types";
import { Badge, Empty, Time, bytes } from "../ui/basics";

function kindText({ kind, direction }: Forward): string {
    const way = direction === "remote" ? "out of it" : direction === "local" ? "into it" : "";
    return [kind, way].filter(Boolean).join(", ");
}

export function ForwardsSection({ forwards }: { forwards: Forwards | undefined }) {
    const list = forwards?.forwards;
    if (!list)
        return null;
    return (
        <section class="section" aria-labelledby="forwards-title">
            <div class="section-head">
                <h2 id="forwards-title">Open forwards</h2>
                {list.length > 0 && <Badge>{list.length}</Badge>}
            </div>
            {!list.length ? <Empty title="No forward is open" /> : (
                <div class="rows table-scroll">
                    <table class="stack">
                        <thead>
                            <tr>
                                <th scope="col">Person</th><th scope="col">Forward</th>
                                <th scope="col">Target</th><th scope="col">Path</th>
                                <th scope="col">Since</th>
                                <th scope="col" class="number">In</th>
                                <th scope="col" class="number">Out</th>
                            </tr>
                        </thead>
                        <tbody>
                            {list.map((each) => (
                                <tr key={each.id}>
                                    <td data-label="Person">{each.user}</td>
                                    <td data-label="Forward">{kindText(each)}</td>
                                    <td data-label="Target" class="mono wrap">
                                        {each.listen && `${each.listen} → `}{each.target}
                                    </td>
                                    <td data-label="Path">
                                        <Badge tone={each.path === "direct" ? "accent" : undefined}>
                                            {each.path}
                                        </Badge>
                                    </td>
                                    <td data-label="Since" class="nowrap">
                                        <Time at={each.since} />
                                    </td>
                                    <td data-label="In" class="number">{bytes(each.bytes_in)}</td>
                                    <td data-label="Out" class="number">{bytes(each.bytes_out)}</td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </div>
            )}
        </section>
    );
}
