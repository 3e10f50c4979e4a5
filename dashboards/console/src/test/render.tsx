// Draws a page or a component as the application would, against answers that the test gives.
import { MantineProvider } from "@mantine/core";
import { ModalsProvider } from "@mantine/modals";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  RouterProvider,
} from "@tanstack/react-router";
import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import { vi } from "vitest";
import type { Me } from "../api/types";
import { makeQueries } from "../app";
import i18n from "../i18n";
import { makeRouter } from "../router";
import { MeContext } from "../shell/me";
import { theme } from "../theme";
import * as fake from "./fake";

export interface Sent {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: Headers;
  body: unknown;
}

type Answer = (sent: Sent) => fake.FakeAnswer | undefined;

/** Puts a fake server in place of `fetch`; what it was asked stands in the returned list. */
export function fakeServer(me: Me | null, answer: Answer = () => undefined): Sent[] {
  const asked: Sent[] = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    const url = new URL(request.url);
    const text = await request.text();
    const json = request.headers.get("Content-Type") === "application/json";
    const sent: Sent = {
      method: request.method,
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: text !== "" && json ? JSON.parse(text) : text,
    };
    asked.push(sent);
    const given = answer(sent);
    const { status, body } =
      given ?? (request.method === "GET" ? fake.fakeGet(url, me) : fake.notFound);
    return new Response(status === 204 ? null : JSON.stringify(body), {
      status,
      headers: { "Content-Type": "application/json" },
    });
  });
  return asked;
}

/** Never opens: tests that are about events bring their own. */
class SilentSource {
  addEventListener() {}
  close() {}
}

function Around({ children }: { children: ReactNode }) {
  return (
    // Without transitions: what is closed is gone.
    <MantineProvider theme={theme} env="test">
      <ModalsProvider>
        <Notifications />
        {children}
      </ModalsProvider>
    </MantineProvider>
  );
}

/** A component below the frame, for `me`. */
export async function renderFor(me: Me, node: ReactNode, language = "en") {
  await i18n.changeLanguage(language);
  const queries = makeQueries();
  const root = createRootRoute({ component: () => <MeContext value={me}>{node}</MeContext> });
  const anything = createRoute({ getParentRoute: () => root, path: "$" });
  const router = createRouter({
    routeTree: root.addChildren([anything]),
    history: createMemoryHistory(),
  });
  await router.load();
  const view = render(
    <Around>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router as never} />
      </QueryClientProvider>
    </Around>,
  );
  return { ...view, queries };
}

/** The whole application at a path. */
export async function renderApp(path: string, language = "en") {
  await i18n.changeLanguage(language);
  vi.stubGlobal("EventSource", SilentSource);
  const queries = makeQueries();
  const router = makeRouter(queries, createMemoryHistory({ initialEntries: [path] }));
  const view = render(
    <Around>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </Around>,
  );
  return { ...view, queries, router };
}
