// A PromQL expression: completion from the server's own names, linting, Enter runs it.
import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching } from "@codemirror/language";
import { lintKeymap } from "@codemirror/lint";
import { keymap, placeholder } from "@codemirror/view";
import { PromQLExtension } from "@prometheus-io/codemirror-promql";
import { useEffect, useMemo } from "react";
import { CodeEditor, type CodeFieldProps } from "./CodeEditor";
import { names } from "./promqlNames";

interface Props extends CodeFieldProps {
  /** On Enter; Shift and Enter makes a new line. */
  onRun: () => void;
  placeholder: string;
}

export default function PromqlEditor({ onRun, placeholder: hint, ...field }: Props) {
  const promql = useMemo(() => new PromQLExtension().setComplete({ remote: names }), []);
  useEffect(() => () => promql.destroy(), [promql]);
  const extensions = useMemo(
    () => [
      promql.asExtension(),
      history(),
      closeBrackets(),
      bracketMatching(),
      placeholder(hint),
      // Its own keys come first: Enter takes what is chosen in an open list.
      autocompletion(),
      keymap.of([
        ...closeBracketsKeymap,
        ...defaultKeymap,
        ...historyKeymap,
        ...completionKeymap,
        ...lintKeymap,
      ]),
    ],
    [promql, hint],
  );
  return <CodeEditor {...field} extensions={extensions} onEnter={onRun} />;
}
