// npm 10 resolves Vite 8's optional native parts wrongly and fails late, with a message that names
// none of it. `npm install` and `npm ci` run this; `make console` runs it before either.
import { execFileSync } from "node:child_process";

const LOWEST_NPM_MAJOR = 11;

const agent = /\bnpm\/(\S+)/.exec(process.env.npm_config_user_agent ?? "");
const version = agent?.[1] ?? execFileSync("npm", ["--version"], { encoding: "utf8" }).trim();
if (Number(version.split(".")[0]) < LOWEST_NPM_MAJOR) {
  console.error(
    `The console needs npm ${LOWEST_NPM_MAJOR} or newer, because Vite 8 does not install with npm ${version}.\n` +
      `What to do: npm install --global npm@${LOWEST_NPM_MAJOR}, then run this again.`,
  );
  process.exit(1);
}
