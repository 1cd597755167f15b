// Light or dark: as the system has it, unless somebody says otherwise.
export type Theme = "auto" | "light" | "dark";

const KEY = "adit-theme";

export function readTheme(): Theme {
    try {
        const value = localStorage.getItem(KEY);
        return value === "light" || value === "dark" ? value : "auto";
    } catch {
        return "auto";
    }
}

export function applyTheme(theme: Theme): void {
    if (theme === "auto")
        delete document.documentElement.dataset.theme;
    else
        document.documentElement.dataset.theme = theme;
    try {
        localStorage.setItem(KEY, theme);
    } catch {
        // Private windows keep nothing: the choice lasts as long as the page.
    }
}
