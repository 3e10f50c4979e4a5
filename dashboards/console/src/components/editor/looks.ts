// How code looks in an editor: Mantine's colors, in light and in dark.
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const MONO = "var(--mantine-font-family-monospace)";
const BORDER = "1px solid var(--mantine-color-default-border)";

const theme = EditorView.theme({
  "&": { fontSize: "13px", backgroundColor: "transparent" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: MONO, lineHeight: "1.6" },
  ".cm-content": {
    padding: "8px 0",
    caretColor: "var(--mantine-color-text)",
  },
  ".cm-line": { padding: "0 12px" },
  ".cm-cursor": { borderLeftColor: "var(--mantine-color-text)" },
  ".cm-placeholder": { color: "var(--mantine-color-placeholder)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": {
    backgroundColor: "var(--mantine-primary-color-light-hover)",
  },
  ".cm-gutters": {
    backgroundColor: "transparent",
    color: "var(--mantine-color-dimmed)",
    borderRight: BORDER,
  },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "transparent" },
  ".cm-matchingBracket": {
    backgroundColor: "var(--mantine-primary-color-light-hover) !important",
  },
  ".cm-tooltip": {
    border: BORDER,
    borderRadius: "var(--mantine-radius-md)",
    boxShadow: "var(--mantine-shadow-md)",
    backgroundColor: "var(--mantine-color-body)",
    color: "var(--mantine-color-text)",
    overflow: "hidden",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": {
    fontFamily: MONO,
    maxWidth: "min(560px, 86vw)",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "3px 10px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": {
    backgroundColor: "var(--mantine-primary-color-filled)",
    color: "var(--mantine-color-white)",
  },
  ".cm-completionDetail": { opacity: 0.75, fontStyle: "normal" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700" },
  ".cm-diagnostic": { padding: "6px 10px", fontFamily: "var(--mantine-font-family)" },
});

// Each reads at 4.5 to 1 or better on its background.
const highlight = HighlightStyle.define([
  {
    tag: [tags.keyword, tags.operatorKeyword, tags.modifier],
    color: "light-dark(#a61e4d, #f783ac)",
  },
  {
    tag: [tags.function(tags.variableName), tags.standard(tags.variableName)],
    color: "light-dark(#5f3dc4, #b197fc)",
  },
  {
    tag: [tags.labelName, tags.propertyName, tags.definition(tags.propertyName)],
    color: "light-dark(#0a5b66, #66d1dd)",
  },
  { tag: [tags.string, tags.special(tags.string)], color: "light-dark(#2b6b2f, #8ce99a)" },
  { tag: [tags.number, tags.bool, tags.null], color: "light-dark(#9c4a00, #ffc078)" },
  { tag: [tags.comment, tags.meta], color: "var(--mantine-color-dimmed)", fontStyle: "italic" },
  { tag: tags.invalid, color: "var(--mantine-color-error)" },
]);

export const looks = [theme, syntaxHighlighting(highlight)];
