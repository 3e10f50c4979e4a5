// What changes, as it changes: server-sent events become invalidations of the queries they concern.
//
//   connecting --open--> live --error--> lost --(browser or we try again)--> live
//
// An event is only a hint. After any gap everything is read again, so that a missed hint costs
// nothing but the gap.
import type { QueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { keys, TOPIC_KEYS } from "./keys";
import type { Change } from "./types";

export type Liveness = "connecting" | "live" | "lost";

/** Hints that come within this span are answered together. */
const COALESCE_MS = 150;
const RETRY_MS = 2_000;
const RETRY_MAX_MS = 30_000;

/** Collects topics for a moment, then invalidates each query once. */
export class Invalidator {
  private readonly topics = new Set<string>();
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly queries: QueryClient) {}

  changed(topic: string) {
    this.topics.add(topic);
    this.timer ??= setTimeout(() => this.flush(), COALESCE_MS);
  }

  everything() {
    void this.queries.invalidateQueries();
  }

  stop() {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private flush() {
    this.timer = null;
    const unique = new Map<string, readonly string[]>();
    for (const topic of this.topics) {
      for (const key of TOPIC_KEYS[topic] ?? []) unique.set(key.join("/"), key);
    }
    this.topics.clear();
    for (const queryKey of unique.values()) {
      void this.queries.invalidateQueries({ queryKey: [...queryKey] });
    }
  }
}

export function topicOf(data: string): string | null {
  try {
    const change = JSON.parse(data) as Partial<Change>;
    return typeof change.topic === "string" ? change.topic : null;
  } catch {
    return null;
  }
}

/** Listens until the returned function is called. */
export function listen(
  queries: QueryClient,
  onLiveness: (liveness: Liveness) => void,
  open: (url: string) => EventSource = (url) => new EventSource(url),
): () => void {
  const invalidator = new Invalidator(queries);
  let source: EventSource | null = null;
  let retry: ReturnType<typeof setTimeout> | null = null;
  let waitMs = RETRY_MS;
  let missed = false;

  const connect = () => {
    const opened = open("/v1/events");
    source = opened;
    opened.addEventListener("open", () => {
      waitMs = RETRY_MS;
      onLiveness("live");
      if (missed) invalidator.everything();
      missed = false;
    });
    opened.addEventListener("change", (event) => {
      const topic = topicOf((event as MessageEvent<string>).data);
      if (topic !== null) invalidator.changed(topic);
    });
    opened.addEventListener("lagged", () => invalidator.everything());
    opened.addEventListener("error", () => {
      missed = true;
      onLiveness("lost");
      // The browser tries again by itself, except after an answer that was no stream: the server
      // is behind a proxy that fails, or the session has ended. Who we are will tell.
      if (opened.readyState !== EventSource.CLOSED || retry !== null) return;
      void queries.invalidateQueries({ queryKey: [...keys.me] });
      retry = setTimeout(() => {
        retry = null;
        connect();
      }, waitMs);
      waitMs = Math.min(waitMs * 2, RETRY_MAX_MS);
    });
  };
  connect();

  return () => {
    if (retry !== null) clearTimeout(retry);
    invalidator.stop();
    source?.close();
  };
}

export function useLiveness(queries: QueryClient): Liveness {
  const [liveness, setLiveness] = useState<Liveness>("connecting");
  useEffect(() => listen(queries, setLiveness), [queries]);
  return liveness;
}
