// What three readers in JavaScript show: a JSON list of texts on stdin, on stdout by reader a list of addresses for each.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const here = createRequire(`${process.argv[2]}/`);
const nodemailer = here("nodemailer/lib/addressparser");
const strict = here("email-addresses");
const { addressParser } = await import(pathToFileURL(here.resolve("postal-mime")));

const flat = (found) => (found ?? []).flatMap((one) => one.group ? flat(one.group) : one.addresses ? flat(one.addresses) : [one.address]).filter(Boolean);
const read = (reader) => (text) => {
  try {
    return flat(reader(text));
  } catch {
    return [];
  }
};
const texts = JSON.parse(readFileSync(0, "utf8"));
const shown = {
  nodemailer: texts.map(read(nodemailer)),
  "postal-mime": texts.map(read(addressParser)),
  "email-addresses": texts.map(read((text) => strict.parseAddressList(text))),
};
process.stdout.write(JSON.stringify(shown));
