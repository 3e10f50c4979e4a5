// CodeMirror as a field of a form. Heavy: import what builds on it lazily.
import { insertNewlineAndIndent } from "@codemirror/commands";
import { Compartment, EditorState, Prec, type Extension } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { looks } from "./looks";

export interface CodeFieldProps {
  value: string;
  onChange: (value: string) => void;
  /** Of the element that names it. */
  labelId: string;
  /** Of what describes it, and of what is wrong with it. */
  descriptionId?: string;
  invalid?: boolean;
}

interface Props extends CodeFieldProps {
  /** Made once: another list makes another editor. */
  extensions: Extension;
  /** Enter does this; Shift and Enter makes a new line. */
  onEnter?: () => void;
}

function enterKey(current: () => (() => void) | undefined): Extension {
  const run = () => {
    const act = current();
    act?.();
    return act !== undefined;
  };
  return Prec.highest(keymap.of([{ key: "Enter", run, shift: insertNewlineAndIndent }]));
}

export function CodeEditor({
  value,
  onChange,
  labelId,
  descriptionId,
  invalid = false,
  extensions,
  onEnter,
}: Props) {
  const { t, i18n } = useTranslation();
  const host = useRef<HTMLDivElement>(null);
  /** What assistive technology is told, which changes while the editor stays. */
  const [spoken] = useState(() => new Compartment());
  const view = useRef<EditorView | null>(null);
  // The newest of each, for a view that outlives renders.
  const latest = useRef({ value, onChange, onEnter });
  useEffect(() => {
    latest.current = { value, onChange, onEnter };
    const doc = view.current?.state.doc;
    if (doc && doc.toString() !== value) {
      view.current?.dispatch({ changes: { from: 0, to: doc.length, insert: value } });
    }
  }, [value, onChange, onEnter]);

  useEffect(() => {
    if (host.current === null) return;
    const made = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: latest.current.value,
        extensions: [
          // Their keys come first: Enter takes what is chosen in an open list.
          extensions,
          enterKey(() => latest.current.onEnter),
          looks,
          EditorView.lineWrapping,
          EditorState.phrases.of({ Completions: t("editor.completions") }),
          spoken.of([]),
          EditorView.updateListener.of((update) => {
            if (!update.docChanged) return;
            const text = update.state.doc.toString();
            if (text !== latest.current.value) latest.current.onChange(text);
          }),
        ],
      }),
    });
    view.current = made;
    return () => {
      made.destroy();
      view.current = null;
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- another language is another editor
  }, [extensions, spoken, i18n.language]);

  useEffect(() => {
    const attributes = EditorView.contentAttributes.of({
      "aria-labelledby": labelId,
      "aria-multiline": "true",
      "aria-invalid": String(invalid),
      ...(descriptionId ? { "aria-describedby": descriptionId } : {}),
    });
    view.current?.dispatch({ effects: spoken.reconfigure(attributes) });
  }, [spoken, labelId, descriptionId, invalid, extensions, i18n.language]);

  return <div ref={host} className="code-editor" data-invalid={invalid || undefined} />;
}
