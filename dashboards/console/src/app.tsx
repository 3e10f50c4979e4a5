// What every page stands in: theme, questions and notices, the cache, the router.
import { MantineProvider } from "@mantine/core";
import { ModalsProvider } from "@mantine/modals";
import { Notifications } from "@mantine/notifications";
import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useState } from "react";
import { keys } from "./api/keys";
import { ApiError } from "./api/problem";
import { makeRouter } from "./router";
import { theme, variables } from "./theme";

/** A failed read is tried again so often where trying again can help. */
const RETRIES = 2;

export function makeQueries(): QueryClient {
  const queries: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      onError: (error) => {
        // The session has ended: the frame leads to the login page.
        if (error instanceof ApiError && error.status === 401) queries.setQueryData(keys.me, null);
      },
    }),
    defaultOptions: {
      queries: {
        // Events say when something is stale; a page that comes back reads again all the same.
        staleTime: 5_000,
        retry: (failures, error) => {
          const helps = !(error instanceof ApiError) || error.unanswered || error.status === 503;
          return helps && failures < RETRIES;
        },
      },
    },
  });
  return queries;
}

export function App() {
  const [queries] = useState(makeQueries);
  const [router] = useState(() => makeRouter(queries));
  return (
    <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <ModalsProvider>
          <Notifications position="bottom-right" />
          <RouterProvider router={router} />
        </ModalsProvider>
      </QueryClientProvider>
    </MantineProvider>
  );
}
