// What may be done to an instance, with its question where it can't be undone.
import { useTranslation } from "react-i18next";
import { useInstanceAction, type InstanceVerb } from "../../api/actions";
import type { Instance } from "../../api/types";
import { notifyDone, notifyProblem } from "../../components/notify";
import { useConfirm } from "../../components/useConfirm";

export interface Verb {
  verb: InstanceVerb;
  label: string;
  disabled: boolean;
  pending: boolean;
  run: () => void;
}

/** What its tenant wants decides, not what was last seen: a stop may be called off by a start. */
export function allowed(verb: InstanceVerb, instance: Instance, isOperator: boolean): boolean {
  if (instance.wanted === "absent") return false;
  switch (verb) {
    case "start":
      return instance.wanted === "stopped";
    case "stop":
      return instance.wanted === "running";
    case "lock":
      return isOperator && !instance.locked;
    case "unlock":
      return isOperator && instance.locked;
    case "delete":
      return true;
  }
}

export function useInstanceVerbs(instance: Instance, onDeleted?: () => void) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const action = useInstanceAction();
  const { id, name } = instance;

  const send = (verb: InstanceVerb) =>
    action.mutate(
      { verb, id },
      {
        onSuccess: () => {
          notifyDone(t(`instance.done.${verb}`, { name }));
          if (verb === "delete") onDeleted?.();
        },
        onError: notifyProblem,
      },
    );

  const ask = (verb: "stop" | "delete" | "lock") => () =>
    confirm({
      title: t(`instance.confirm.${verb}.title`, { name }),
      consequence: t(`instance.confirm.${verb}.consequence`),
      confirm: t(`instance.verb.${verb}`),
      danger: verb === "delete",
      onConfirm: () => send(verb),
    });

  return (verb: InstanceVerb, isOperator: boolean): Verb => ({
    verb,
    label: t(`instance.verb.${verb}`),
    disabled: !allowed(verb, instance, isOperator),
    pending: action.isPending && action.variables.verb === verb,
    run: verb === "start" || verb === "unlock" ? () => send(verb) : ask(verb),
  });
}
