// Two languages from the first string. English is the source: its keys are the type of `t`. The other
// one is loaded when somebody reads it.
import i18next, { type BackendModule } from "i18next";
import { initReactI18next } from "react-i18next";
import en from "./en.json";

export const LANGUAGES = { en: "English", "zh-CN": "简体中文" } as const;
export type Language = keyof typeof LANGUAGES;

const STORED = "opshawk-language";

function isLanguage(text: string | null): text is Language {
  return text !== null && Object.hasOwn(LANGUAGES, text);
}

function stored(): string | null {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null; // Storage may be forbidden.
  }
}

/** What was chosen; else the first language of the browser that we speak. */
export function firstLanguage(wanted: readonly string[] = navigator.languages): Language {
  const chosen = stored();
  if (isLanguage(chosen)) return chosen;
  for (const tag of wanted) {
    const lower = tag.toLowerCase();
    if (lower.startsWith("zh")) return "zh-CN";
    if (lower.startsWith("en")) return "en";
  }
  return "en";
}

export function setLanguage(language: Language) {
  try {
    localStorage.setItem(STORED, language);
  } catch {
    // It then holds for this page only.
  }
  void i18next.changeLanguage(language);
}

i18next.on("languageChanged", (language) => (document.documentElement.lang = language));

const loaded: BackendModule = {
  type: "backend",
  init() {},
  read(_language, _namespace, done) {
    import("./zh-CN.json").then(
      ({ default: words }) => done(null, words),
      (error: unknown) => done(error instanceof Error ? error : String(error), null),
    );
  },
};

/** The first language is there; English where it can't be had. */
export const ready = i18next.use(loaded).use(initReactI18next).init({
  lng: firstLanguage(),
  fallbackLng: "en",
  resources: { en: { translation: en } },
  partialBundledLanguages: true,
  load: "currentOnly",
  initAsync: false,
  interpolation: { escapeValue: false }, // React escapes.
  returnNull: false,
  showSupportNotice: false, // It advertises in the console.
});

export default i18next;
