// What went wrong with a request, in one shape: RFC 9457 problem details where the server answered,
// and "unreachable" where it did not.
import type { ProblemDetails } from "./types";

const TYPE_PREFIX = "urn:opshawk:problem:";

export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    /** Kebab case, for the choice of words: `quota-exceeded`, `unreachable`. */
    readonly kind: string,
    readonly status: number | null,
    readonly detail: string,
    readonly remedy: string | null = null,
    /** The field of the request that is at fault. */
    readonly field: string | null = null,
  ) {
    super(detail);
  }

  /** No answer came: whether the request took effect is not known. */
  get unanswered(): boolean {
    return this.status === null;
  }
}

function isProblem(body: unknown): body is Partial<ProblemDetails> {
  return typeof body === "object" && body !== null && "type" in body && "title" in body;
}

/** From whatever came with a status that is no success. */
export function fromAnswer(status: number, body: unknown): ApiError {
  if (isProblem(body)) {
    const kind = (body.type ?? "").replace(TYPE_PREFIX, "") || "unknown";
    const detail = body.detail ?? body.title ?? "";
    return new ApiError(kind, status, detail, body.remedy ?? null, body.field ?? null);
  }
  // The Prometheus API's own shape.
  if (typeof body === "object" && body !== null && "errorType" in body && "error" in body) {
    return new ApiError(String(body.errorType), status, String(body.error));
  }
  return new ApiError("unknown", status, typeof body === "string" ? body.slice(0, 300) : "");
}

/** From whatever was thrown. */
export function toApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  // What `fetch` throws when no answer came.
  if (thrown instanceof TypeError) return new ApiError("unreachable", null, thrown.message);
  return new ApiError("unknown", null, thrown instanceof Error ? thrown.message : String(thrown));
}
