// The forwards that are open at the moment.
import type { Forward, Forwards } from "../types";
import { Badge, Empty, Time, bytes } from "../ui/basics";

// A listener in the workspace leads out of it, everything else leads into it.
function placeText({ listen, target, direction }: Forward): string {
    if (direction === "remote")
        return `${listen ?? target} → their machine`;
    return listen ? `${listen} → ${target}` : target ?? "";
}

// What passes in SSH's forwards is not told by sshd.
function known(n: number | undefined): string {
    return n === undefined ? "–" : bytes(n);
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
            {forwards.more && (
                <p class="hint">There are more than are listed here.</p>
            )}
            {!list.length ? <Empty title="No forward is open" /> : (
                <div class="rows table-scroll">
                    <table class="stack tight">
                        <thead>
                            <tr>
                                <th scope="col">Person</th><th scope="col">Forward</th>
                                <th scope="col" class="number">Open</th><th scope="col">Path</th>
                                <th scope="col">Since</th>
                                <th scope="col" class="number">In</th>
                                <th scope="col" class="number">Out</th>
                            </tr>
                        </thead>
                        <tbody>
                            {list.map((each) => (
                                <tr key={each.id}>
                                    <td data-label="Person">{each.user}</td>
                                    <td data-label="Forward" class="forward-place">
                                        <span><span class="mono">{placeText(each)}</span>{" "}
                                            <Badge>{each.kind}</Badge></span>
                                    </td>
                                    <td data-label="Open" class="number">{each.connections}</td>
                                    <td data-label="Path">
                                        <Badge tone={each.path === "direct" ? "accent" : undefined}>
                                            {each.path}
                                        </Badge>
                                    </td>
                                    <td data-label="Since" class="nowrap">
                                        <Time at={each.since} />
                                    </td>
                                    <td data-label="In" class="number">{known(each.bytes_in)}</td>
                                    <td data-label="Out" class="number">{known(each.bytes_out)}</td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </div>
            )}
        </section>
    );
}
