// Drawings of 24 by 24, in the colour of the text around them.
import type { JSX } from "preact";

const paths = {
    workspaces: "M4 5h16v11H4zM9 20h6M12 16v4",
    templates: "M5 4h14v16H5zM8.5 8.5h7M8.5 12h7M8.5 15.5h4",
    people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c0-3.6 2.9-6 6.5-6s6.5 2.4 6.5 6" +
        "M16 4.3a3.5 3.5 0 0 1 0 6.4M18 14.5c2.2.9 3.5 2.9 3.5 5.5",
    tokens: "M8 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 12h9M17.5 12v3.5M21 12v2.5",
    audit: "M12 7v5l3.5 2M12 20.5a8.5 8.5 0 1 0-8.5-8.5M3.5 12l-1.8-2.2M3.5 12l2.4-1.6",
    help: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z" +
        "M9.5 9.5a2.5 2.5 0 1 1 3.6 2.3c-.8.4-1.1.9-1.1 1.7" +
        "M12 16.8v.1",
    account: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5c0-4 3.4-6.5 7.5-6.5s7.5 2.5 7.5 6.5",
    logout: "M10 4H5v16h5M14 8l4 4-4 4M18 12H9",
    menu: "M4 7h16M4 12h16M4 17h16",
    close: "M6 6l12 12M18 6L6 18",
    plus: "M12 5v14M5 12h14",
    copy: "M9 9h11v11H9zM5 15H4V4h11v1",
    check: "M5 12.5l4.5 4.5L19 7.5",
    open: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
    qr: "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h2.5v2.5H14zM17.5 17.5H20V20h-2.5z" +
        "M20 14v.1M14 20v.1",
    share: "M6 14.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z" +
        "M18 8a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z" +
        "M18 21a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM8.2 10.8l7.6-4.1M8.2 13.2l7.6 4.1",
    lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
    globe: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM3 12h18" +
        "M12 3c2.5 2.4 3.8 5.4 3.8 9S14.5 18.6 12 21" +
        "c-2.5-2.4-3.8-5.4-3.8-9S9.5 5.4 12 3z",
    terminal: "M4 5h16v14H4zM7.5 9.5l3 2.5-3 2.5M12.5 15h4",
    trash: "M5 7h14M10 7V4.5h4V7M7 7l.8 13h8.4L17 7M10.5 11v5M13.5 11v5",
    refresh: "M19.5 12a7.5 7.5 0 1 1-2.3-5.4M17.5 3v4h-4",
    search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5L20 20",
    alert: "M12 4l9 16H3zM12 10v4.5M12 17.3v.1",
    download: "M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 20h14",
    bolt: "M13 3L5 13.5h6L10.5 21 19 10h-6.5z",
    code: "M8.5 7l-5 5 5 5M15.5 7l5 5-5 5",
    notebook: "M7 3.5h12v17H7zM7 3.5H5v17h2M10.5 8h5M10.5 11.5h5",
    database: "M12 10c4 0 7-1.3 7-3s-3-3-7-3-7 1.3-7 3 3 3 7 3zM5 7v10c0 1.7 3 3 7 3s7-1.3 7-3V7" +
        "M5 12c0 1.7 3 3 7 3s7-1.3 7-3",
    chart: "M4 4v16h16M8 16v-4M12 16V8M16 16v-6",
    book: "M12 6c-2-1.5-5-2-8-2v14c3 0 6 .5 8 2 2-1.5 5-2 8-2V4c-3 0-6 .5-8 2zM12 6v14",
    desktop: "M3 5h18v12H3zM8 20.5h8",
    files: "M3.5 6h6l2 2.5h9V19h-17z",
    sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 2.5V4M12 20v1.5M2.5 12H4M20 12h1.5" +
        "M5.3 5.3l1 1M17.7 17.7l1 1M5.3 18.7l1-1M17.7 6.3l1-1",
    moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",
    auto: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM12 3.5v17M12 7h5M12 12h8.3" +
        "M12 17h5",
};

export type IconName = keyof typeof paths;

export function isIcon(name: string): name is IconName {
    return Object.prototype.hasOwnProperty.call(paths, name);
}

export function Icon({ name, ...rest }: { name: IconName } & JSX.IntrinsicElements["svg"]) {
    return (
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false" {...rest}>
            <path d={paths[name]} />
        </svg>
    );
}

// The way into the mine: timbered mouth, rails, and a lamp at the end.
export function Logo() {
    return (
        <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <rect class="logo-rock" width="32" height="32" rx="7" />
            <path class="logo-lamp" d="M11 26v-9a5 5 0 0 1 10 0v9z" />
            <path class="logo-rails"
                d="M14.6 19.5L12.6 26M17.4 19.5l2 6.5M13.9 22h4.2M13 25h6" />
            <path class="logo-arch" d="M6.5 26V16a9.5 9.5 0 0 1 19 0v10" />
        </svg>
    );
}
