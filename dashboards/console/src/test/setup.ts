// What a browser has and jsdom has not.
import "@testing-library/jest-dom/vitest";
import { modals } from "@mantine/modals";
import { notifications } from "@mantine/notifications";
import { cleanup, configure } from "@testing-library/react";
import { afterEach, vi } from "vitest";

// A condition is waited for as long as a busy machine may need; one that is met costs nothing.
configure({ asyncUtilTimeout: 15_000 });

afterEach(() => {
  // What was announced outlives the page that announced it.
  notifications.clean();
  modals.closeAll();
  cleanup();
});

class NoObserver {
  observe() {}
  unobserve() {}
  disconnect() {}
}
vi.stubGlobal("ResizeObserver", NoObserver);

/** Wide, light, no preference: a test that wants it otherwise stubs its own. */
vi.stubGlobal("matchMedia", (query: string) => ({
  matches: false,
  media: query,
  addEventListener() {},
  removeEventListener() {},
  addListener() {},
  removeListener() {},
  dispatchEvent: () => false,
}));
// Browsers answer a promise by now, which is no cleanup for an effect to return.
Object.assign(Element.prototype, { scrollIntoView: () => Promise.resolve() });
Element.prototype.scrollTo = () => {};
window.scrollTo = () => {};

Object.defineProperty(document, "fonts", { value: new EventTarget() });

HTMLCanvasElement.prototype.getContext = () => null;

// It asks for a canvas, which jsdom has none of.
vi.mock("uplot", () => ({
  default: class {
    destroy() {}
    setData() {}
  },
}));
