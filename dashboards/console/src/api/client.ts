// The typed client over the generated description. Every failure leaves as an `ApiError`.
import createClient from "openapi-fetch";
import { IdempotencyKeys } from "./idempotency";
import { fromAnswer, toApiError } from "./problem";
import type { paths } from "./schema";

export const client = createClient<paths>({
  // The origin that served the page; absolute, because not every fetch takes a bare path.
  baseUrl: window.location.origin,
  // Looked up at each call, so that a test can put its own in its place.
  fetch: (request) => globalThis.fetch(request),
});

const keys = new IdempotencyKeys();

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The body of a success; anything else is thrown. */
export async function unwrap<T>(answer: Promise<Answer<T>>): Promise<NonNullable<T>> {
  const { data, error, response } = await answer.catch((thrown: unknown) => {
    throw toApiError(thrown);
  });
  if (!response.ok) throw fromAnswer(response.status, error);
  return data as NonNullable<T>;
}

/** Sends a POST with its `Idempotency-Key`. `request` tells equal requests from different ones. */
export function once<T>(
  request: unknown[],
  send: (header: { "Idempotency-Key": string }) => Promise<Answer<T>>,
): Promise<NonNullable<T>> {
  return keys.with(JSON.stringify(request), (key) => unwrap(send({ "Idempotency-Key": key })));
}
