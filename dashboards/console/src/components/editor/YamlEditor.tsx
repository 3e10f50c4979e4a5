// YAML, as rule files are written in. Tab leaves the field, as in every other.
import { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, indentOnInput, indentUnit } from "@codemirror/language";
import { keymap, lineNumbers } from "@codemirror/view";
import { CodeEditor, type CodeFieldProps } from "./CodeEditor";

const EXTENSIONS = [
  yaml(),
  lineNumbers(),
  history(),
  indentUnit.of("  "),
  indentOnInput(),
  closeBrackets(),
  bracketMatching(),
  keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap]),
];

export default function YamlEditor(field: CodeFieldProps) {
  return <CodeEditor {...field} extensions={EXTENSIONS} />;
}
