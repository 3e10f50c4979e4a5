// A price document as it is edited: JSON, with flavors by name.
import type { Flavor, PriceDocument, PriceRate } from "../../api/types";

type Rename = (flavor: string) => string | undefined;

function renamed(document: PriceDocument, rename: Rename): PriceDocument {
  const rates = document.rates.map((rate): PriceRate => {
    const flavor = rate.where?.flavor;
    const other = flavor ? rename(flavor) : undefined;
    return other === undefined ? rate : { ...rate, where: { ...rate.where, flavor: other } };
  });
  return { ...document, rates };
}

/** A name that two flavors have says nothing: both keep their ids. */
function namesOf(flavors: readonly Flavor[]) {
  const count = (name: string) => flavors.filter((flavor) => flavor.name === name).length;
  return new Map(flavors.filter(({ name }) => count(name) === 1).map(({ id, name }) => [id, name]));
}

export function toText(document: PriceDocument, flavors: readonly Flavor[]): string {
  const names = namesOf(flavors);
  return JSON.stringify(
    renamed(document, (id) => names.get(id)),
    null,
    2,
  );
}

function isDocument(value: unknown): value is PriceDocument {
  return typeof value === "object" && value !== null && Array.isArray((value as PriceDocument).rates);
}

/** Null where the text is no document; what is wrong within one is the server's to say. */
export function fromText(text: string, flavors: readonly Flavor[]): PriceDocument | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isDocument(value)) return null;
  const ids = new Map(Array.from(namesOf(flavors), ([id, name]) => [name, id]));
  return renamed(value, (name) => ids.get(name));
}
