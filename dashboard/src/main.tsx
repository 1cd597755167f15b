import { render } from "preact";

import { Root } from "./root";
import { applyTheme, readTheme } from "./theme";

applyTheme(readTheme());
render(<Root />, document.getElementById("app")!);
