/// <reference types="vitest/config" />
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { budget } from "./scripts/budget.ts";

// Where `npm run dev` and `npm run preview` send what the console asks for.
const server = process.env.OPSHAWK_URL ?? "http://127.0.0.1:8420";
const proxy = Object.fromEntries(
  ["/v1", "/prometheus"].map((path) => [path, { target: server, changeOrigin: true }]),
);

/** Pages that need them load them: see `router.tsx`, and `lazy` in the pages. */
const LATE = ["@codemirror", "@prometheus-io", "@xterm", "@novnc", "@xyflow", "uplot"];

export default defineConfig({
  plugins: [react(), budget({ firstLoadMaxKb: 800, chunkMaxKb: 420, late: LATE })],
  build: {
    // light-dark() as it stands: the polyfill for older browsers does not follow Mantine's switch.
    target: ["chrome123", "firefox120", "safari17.5"],
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
    rolldownOptions: {
      output: {
        codeSplitting: {
          // What nearly every page needs, in two files that outlive most releases, instead of in
          // dozens of crumbs.
          groups: [
            {
              name: "base",
              test: /node_modules\/(react|react-dom|scheduler|i18next|react-i18next|@tanstack\/(react-query|query-core|react-router|router-core|history|store|react-store))\//,
            },
            {
              name: "ui",
              test: /node_modules\/(@mantine|@floating-ui|@tabler)\//,
              minShareCount: 10,
            },
          ],
        },
      },
    },
    // For dynamic imports in browsers that all have it: one inline script less to forbid.
    modulePreload: { polyfill: false },
  },
  server: { proxy },
  preview: { proxy },
  test: {
    environment: "jsdom",
    setupFiles: ["src/test/setup.ts"],
    restoreMocks: true,
    // Of its two builds Node would take the other, with a CodeMirror of its own.
    alias: {
      "@prometheus-io/codemirror-promql": "@prometheus-io/codemirror-promql/dist/esm/index.js",
    },
    server: { deps: { inline: ["@prometheus-io/codemirror-promql"] } },
    // Two cores, and other tests beside it.
    testTimeout: 60_000,
  },
});
