import type { ApiError } from "../api/problem";
import { notifyDone } from "./notify";

interface Form {
  values: Record<string, unknown>;
  setFieldError: (field: string, error: string) => void;
}

/** Puts the server's complaint at the field it names. */
export function showAtField(form: Form, { field, detail }: ApiError) {
  if (field !== null && Object.hasOwn(form.values, field)) form.setFieldError(field, detail);
}

/** What most forms do with their answer: say that it is done and close, or show what is wrong. */
export function answered(form: Form, onClose: () => void, done: string) {
  return {
    onSuccess: () => {
      notifyDone(done);
      onClose();
    },
    onError: (error: ApiError) => showAtField(form, error),
  };
}
