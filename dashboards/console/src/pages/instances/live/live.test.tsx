import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, test, vi } from "vitest";
import en from "../../../i18n/en.json";
import { instances, member } from "../../../test/fake";
import { fakeServer, renderApp } from "../../../test/render";
import { whyClosed, type Why } from "./channel";

const [web] = instances;
if (!web) throw new Error("the fake has instances");

/** What the page opened, with the server's part in the test's hands. */
class FakeSocket extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  static opened: FakeSocket[] = [];
  readyState = FakeSocket.CONNECTING;
  binaryType = "blob";
  sent: string[] = [];

  constructor(
    readonly url: URL,
    readonly protocol: string,
  ) {
    super();
    FakeSocket.opened.push(this);
  }

  send(bytes: Uint8Array) {
    this.sent.push(new TextDecoder().decode(bytes));
  }

  close() {
    this.readyState = FakeSocket.CLOSED;
  }

  accept() {
    this.readyState = FakeSocket.OPEN;
    act(() => void this.dispatchEvent(new Event("open")));
  }

  print(text: string) {
    const data = new TextEncoder().encode(text).buffer;
    act(() => void this.dispatchEvent(new MessageEvent("message", { data })));
  }

  end(code: number, reason = "") {
    this.readyState = FakeSocket.CLOSED;
    act(() => void this.dispatchEvent(new CloseEvent("close", { code, reason })));
  }
}

class FakeRfb extends EventTarget {
  static made: FakeRfb[] = [];
  keys: string[] = [];
  constructor(
    readonly target: HTMLElement,
    readonly channel: FakeSocket,
  ) {
    super();
    FakeRfb.made.push(this);
  }
  focus() {}
  blur() {
    this.keys.push("blur");
  }
  sendCtrlAltDel() {
    this.keys.push("ctrl-alt-del");
  }
  disconnect() {
    this.channel.close();
  }
}

// It draws on a canvas, which jsdom has none of.
vi.mock("@novnc/novnc", () => ({ default: FakeRfb }));

beforeEach(() => {
  FakeSocket.opened = [];
  FakeRfb.made = [];
  vi.stubGlobal("WebSocket", FakeSocket);
});

async function opened(button: string): Promise<FakeSocket> {
  const before = FakeSocket.opened.length;
  await userEvent.click(await screen.findByRole("button", { name: button }));
  await waitFor(() => expect(FakeSocket.opened).toHaveLength(before + 1));
  const socket = FakeSocket.opened.at(-1);
  if (!socket) throw new Error("nothing was opened");
  return socket;
}

const path = `/instances/${web.id}`;

describe("the terminal", () => {
  test("is opened by a button, never by a visit", async () => {
    fakeServer(member);
    await renderApp(path);
    await screen.findByRole("log", { name: "Serial console" });
    expect(FakeSocket.opened).toEqual([]);
    const socket = await opened("Open terminal");
    expect(socket.url.pathname).toBe(`/v1/instances/${web.id}/console/serial`);
    expect(socket.url.protocol).toBe("ws:");
    expect(socket.url.host).toBe(window.location.host);
    expect(socket.protocol).toBe("binary");
    expect(socket.binaryType).toBe("arraybuffer");
  });

  test("shows what was printed before and what comes, and sends what is typed", async () => {
    fakeServer(member);
    const { container } = await renderApp(path);
    const socket = await opened("Open terminal");
    socket.accept();
    expect(screen.getByText("Connected")).toBeVisible();
    socket.print("\u001b[1mroot@web-1\u001b[0m:~# ");
    const shown = () => container.querySelector(".xterm-rows")?.textContent;
    await waitFor(() => expect(shown()).toContain("root@web-1:~#"));
    expect(shown()).toContain("OPSHAWK GUEST READY");
    const input = screen.getByRole("textbox", { name: "Terminal" });
    fireEvent.keyDown(input, { key: "Enter", code: "Enter", keyCode: 13 });
    expect(socket.sent).toEqual(["\r"]);
  });

  test("a long paste goes in pieces that the server takes", async () => {
    fakeServer(member);
    await renderApp(path);
    const socket = await opened("Open terminal");
    socket.accept();
    const text = "x".repeat(40_000);
    const clipboardData = { getData: () => text };
    fireEvent.paste(screen.getByRole("textbox", { name: "Terminal" }), { clipboardData });
    expect(socket.sent.map(({ length }) => length)).toEqual([16_384, 16_384, 40_000 - 32_768]);
  });

  test("Ctrl and ] bring the keys back to the page, and nothing to the guest", async () => {
    fakeServer(member);
    await renderApp(path);
    const socket = await opened("Open terminal");
    socket.accept();
    const input = screen.getByRole("textbox", { name: "Terminal" });
    fireEvent.keyDown(input, { key: "]", code: "BracketRight", keyCode: 221, ctrlKey: true });
    expect(screen.getByRole("button", { name: "Close" })).toHaveFocus();
    expect(socket.sent).toEqual([]);
  });

  test("taken over by another, it says so, and comes back when it is asked to", async () => {
    fakeServer(member);
    await renderApp(path);
    const socket = await opened("Open terminal");
    socket.accept();
    socket.end(4001, "another console took the port");
    const alert = screen.getByText("Somebody else has opened this console");
    expect(alert).toBeVisible();
    expect(screen.getByText("another console took the port")).toBeVisible();
    expect(screen.getByText("Close code 4001")).toBeVisible();
    const second = await opened("Connect again");
    second.accept();
    expect(screen.queryByText("Close code 4001")).toBeNull();
    expect(screen.getByText("Connected")).toBeVisible();
  });

  test("refused, it says what a plain request is told", async () => {
    const body = {
      type: "urn:opshawk:problem:conflict",
      title: "The state forbids it",
      status: 409,
      detail: "instance 'web-1' is stopped, not running",
      remedy: "start it first",
    };
    const asked = fakeServer(member, ({ path }) =>
      path.endsWith("/console/serial") ? { status: 409, body } : undefined,
    );
    await renderApp(path);
    const socket = await opened("Open terminal");
    expect(asked.some(({ path }) => path.endsWith("/console/serial"))).toBe(false);
    socket.end(1006);
    expect(await screen.findByText("instance 'web-1' is stopped, not running")).toBeVisible();
    expect(screen.getByText("start it first")).toBeVisible();
  });

  test("refused although a plain request would not be, it says that much", async () => {
    const body = { type: "urn:opshawk:problem:upgrade-required", title: "x", status: 426 };
    fakeServer(member, ({ path }) =>
      path.endsWith("/console/serial") ? { status: 426, body } : undefined,
    );
    await renderApp(path);
    (await opened("Open terminal")).end(1006);
    expect(await screen.findByText("No connection could be made")).toBeVisible();
  });

  test("closed, it gives way to the log, and its connection ends", async () => {
    fakeServer(member);
    await renderApp(path);
    const socket = await opened("Open terminal");
    socket.accept();
    await userEvent.click(screen.getByRole("button", { name: "Close" }));
    expect(await screen.findByRole("log", { name: "Serial console" })).toBeVisible();
    expect(socket.readyState).toBe(FakeSocket.CLOSED);
  });
});

test("an instance that does not run has its log alone", async () => {
  fakeServer(member, ({ path }) =>
    path === `/v1/instances/${web.id}`
      ? { status: 200, body: { ...web, state: "stopped" } }
      : undefined,
  );
  await renderApp(path);
  expect(await screen.findByRole("log", { name: "Serial console" })).toBeVisible();
  expect(screen.queryByRole("button", { name: "Open terminal" })).toBeNull();
  expect(screen.queryByRole("button", { name: "Open screen" })).toBeNull();
});

describe("the screen", () => {
  test("is connected once the guest's screen answers; Ctrl-Alt-Del is a button", async () => {
    fakeServer(member);
    await renderApp(path);
    const socket = await opened("Open screen");
    expect(socket.url.pathname).toBe(`/v1/instances/${web.id}/console/screen`);
    const rfb = FakeRfb.made[0];
    socket.accept();
    const button = screen.getByRole("button", { name: "Send Ctrl-Alt-Del" });
    expect(button).toBeDisabled();
    expect(screen.getByText("Connecting", { selector: "[data-status] *" })).toBeVisible();
    act(() => void rfb?.dispatchEvent(new Event("connect")));
    expect(screen.getByText("Connected")).toBeVisible();
    await userEvent.click(button);
    expect(rfb?.keys).toEqual(["ctrl-alt-del"]);
    socket.end(1000, "the guest has stopped");
    expect(screen.getByText("The guest has ended it")).toBeVisible();
    expect(screen.getByText("the guest has stopped")).toBeVisible();
    expect(button).toBeDisabled();
  });

  test("Ctrl and ] are not the guest's", async () => {
    fakeServer(member);
    await renderApp(path);
    (await opened("Open screen")).accept();
    const area = screen.getByRole("application", { name: "Screen" });
    fireEvent.keyDown(area, { key: "]", ctrlKey: true });
    expect(FakeRfb.made[0]?.keys).toEqual(["blur"]);
    expect(screen.getByRole("button", { name: "Close" })).toHaveFocus();
  });
});

test("each way to end is told in its own words", () => {
  const why = (code: number, opened = true) => whyClosed({ code, reason: "", opened });
  expect([1000, 1001, 1006, 1008, 1011, 1012, 1013, 4001].map((code) => why(code))).toEqual([
    "ended",
    "restarts",
    "lost",
    "forbidden",
    "failed",
    "restarts",
    "noAgent",
    "taken",
  ] satisfies Why[]);
  expect(why(1006, false)).toBe("refused");
  const words = Object.values(en.instance.live.closed);
  expect(new Set(words).size).toBe(words.length);
});
