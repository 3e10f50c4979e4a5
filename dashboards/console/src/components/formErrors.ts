import type { ApiError } from "../api/problem";

interface Form {
  values: Record<string, unknown>;
  setFieldError: (field: string, error: string) => void;
}

/** Puts the server's complaint at the field it names. */
export function showAtField(form: Form, { field, detail }: ApiError) {
  if (field !== null && Object.hasOwn(form.values, field)) form.setFieldError(field, detail);
}
