/// <reference types="vitest/config" />
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Where `npm run dev` and `npm run preview` send what the console asks for.
const server = process.env.OPSHAWK_URL ?? "http://127.0.0.1:8420";
const proxy = Object.fromEntries(
  ["/v1", "/prometheus"].map((path) => [path, { target: server, changeOrigin: true }]),
);

export default defineConfig({
  plugins: [react()],
  build: {
    // light-dark() as it stands: the polyfill for older browsers does not follow Mantine's switch.
    target: ["chrome123", "firefox120", "safari17.5"],
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1200,
    // For dynamic imports in browsers that all have it: one inline script less to forbid.
    modulePreload: { polyfill: false },
  },
  server: { proxy },
  preview: { proxy },
  test: {
    environment: "jsdom",
    setupFiles: ["src/test/setup.ts"],
    restoreMocks: true,
    // Two cores, and other tests beside it.
    testTimeout: 60_000,
  },
});
