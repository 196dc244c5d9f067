#!/usr/bin/env node
// The query engine that Prisma's Python client starts, for LiteLLM's database in tests.
//
// Prisma's own one is a program that is downloaded from a server of Prisma's, which tests do not
// do. Its WebAssembly build is in the npm package @prisma/client, and takes other requests: this
// serves that build by the HTTP and GraphQL that the Python client speaks.
"use strict";
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");

if (process.argv.includes("--version")) {
  console.log("query-engine of @prisma/client");
  process.exit(0);
}

const { PrismaPg } = require("@prisma/adapter-pg");
const { bindAdapter } = require("@prisma/driver-adapter-utils");
const { parse } = require("graphql");
const { Pool } = require("pg");

const BINDINGS = "@prisma/client/runtime/query_engine_bg.postgresql.js";
const VERBS = [
  "createOne", "createMany", "updateOne", "updateMany", "upsertOne", "deleteOne", "deleteMany",
  "findUnique", "findFirst", "findMany", "aggregate", "groupBy",
];
const CLIENT = `generator client {
  provider = "prisma-client-js"
  previewFeatures = ["driverAdapters"]
}`;

/** Returns the value of a GraphQL literal. */
function valueOf(node) {
  switch (node.kind) {
    case "IntValue":
    case "FloatValue":
      return Number(node.value);
    case "NullValue":
      return null;
    case "ListValue":
      return node.values.map(valueOf);
    case "ObjectValue":
      return Object.fromEntries(node.fields.map((each) => [each.name.value, valueOf(each.value)]));
    default:
      return node.value;
  }
}

function argumentsOf(field) {
  return Object.fromEntries(field.arguments.map((each) => [each.name.value, valueOf(each.value)]));
}

function selectionOf(set) {
  return Object.fromEntries(
    (set ? set.selections : []).map((field) => [
      field.name.value,
      field.selectionSet || field.arguments.length
        ? { arguments: argumentsOf(field), selection: selectionOf(field.selectionSet) }
        : true,
    ]),
  );
}

/** Returns the names of the fields of a schema's models that hold JSON, by model. */
function jsonFieldsOf(schema) {
  const models = schema.matchAll(/^model (\w+) \{(.*?)^\}/gms);
  const fields = (body) => [...body.matchAll(/^\s*(\w+)\s+Json\b/gm)].map((each) => each[1]);
  return new Map([...models].map(([, model, body]) => [model, new Set(fields(body))]));
}

/** Returns arguments in which texts for fields of JSON are such, not JSON strings. */
function withJson(node, fields, within = false) {
  if (typeof node === "string") return within ? { $type: "Json", value: node } : node;
  if (Array.isArray(node)) return node.map((each) => withJson(each, fields, within));
  if (node === null || typeof node !== "object") return node;
  const pairs = Object.entries(node);
  return Object.fromEntries(
    pairs.map(([key, value]) => [key, withJson(value, fields, within || fields.has(key))]),
  );
}

/** Returns a query in the engine's own form. */
function translated(text, jsonFields) {
  const field = parse(text).definitions[0].selectionSet.selections[0];
  const name = field.name.value;
  const query = { arguments: argumentsOf(field), selection: selectionOf(field.selectionSet) };
  const verb = VERBS.find((each) => name.startsWith(each));
  if (verb === undefined) return { action: name, query }; // queryRaw, executeRaw
  const thrown = name.endsWith("OrThrow") ? "OrThrow" : "";
  const modelName = name.slice(verb.length, name.length - thrown.length);
  query.arguments = withJson(query.arguments, jsonFields.get(modelName) ?? new Set());
  return { modelName, action: verb + thrown, query };
}

/** Returns a result without the types that the engine's own form names beside values. */
function plain(node) {
  if (Array.isArray(node)) return node.map(plain);
  if (node === null || typeof node !== "object") return node;
  if ("$type" in node) return node.$type === "BigInt" ? Number(node.value) : node.value;
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, plain(value)]));
}

/** Returns the result of queryRaw with the JSON in its columns read. */
function readRows({ columns, types, rows }) {
  const read = (value, type) =>
    type === "json" && typeof value === "string" ? JSON.parse(value) : value;
  return { columns, types, rows: rows.map((row) => row.map((each, at) => read(each, types[at]))) };
}

function answerTo(query, answer) {
  if (!answer.data) return answer;
  const [data] = Object.values(answer.data);
  return { data: { result: query.action === "queryRaw" ? readRows(data) : plain(data) } };
}

async function startedEngine(schema) {
  const url = new URL(process.env.DATABASE_URL);
  url.search = ""; // Prisma's own options
  const pool = new Pool({ connectionString: url.toString() });
  pool.on("error", () => {}); // the server may go away
  const bindings = require(BINDINGS);
  const wasm = fs.readFileSync(require.resolve(BINDINGS).replace(/\.js$/, ".wasm"));
  const module = new WebAssembly.Module(wasm);
  const instance = new WebAssembly.Instance(module, { "./query_engine_bg.js": bindings });
  bindings.__wbg_set_wasm(instance.exports);
  const options = {
    datamodel: schema.replace(/generator client \{[^}]*\}/, CLIENT),
    logLevel: "error",
    logQueries: false,
    configDir: path.dirname(process.env.PRISMA_DML_PATH),
    env: { ...process.env },
    overrideDatasources: {},
    ignoreEnvVarErrors: true,
  };
  const engine = new bindings.QueryEngine(options, () => {}, bindAdapter(new PrismaPg(pool)));
  await engine.connect("{}");
  return engine;
}

async function handled(engine, jsonFields, request, text) {
  const [, first, second, third] = request.url.split("/");
  if (first === "status") return { status: "ok" };
  if (first === "transaction") {
    if (second === "start") return JSON.parse(await engine.startTransaction(text, "{}"));
    const end = third === "commit" ? engine.commitTransaction : engine.rollbackTransaction;
    return JSON.parse((await end.call(engine, second, "{}")) || "{}");
  }
  const body = JSON.parse(text);
  const ask = async (query) =>
    JSON.parse(
      await engine.query(JSON.stringify(query), "{}", request.headers["x-transaction-id"]),
    );
  if (!body.batch) {
    const query = translated(body.query, jsonFields);
    return answerTo(query, await ask(query));
  }
  const batch = body.batch.map((each) => translated(each.query, jsonFields));
  const answer = await ask({ batch, transaction: body.transaction ? {} : undefined });
  if (!answer.batchResult) return answer;
  return { batchResult: answer.batchResult.map((each, at) => answerTo(batch[at], each)) };
}

async function main() {
  const schema = fs.readFileSync(process.env.PRISMA_DML_PATH, "utf8");
  const engine = await startedEngine(schema);
  const jsonFields = jsonFieldsOf(schema);
  const server = http.createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    let answer;
    try {
      answer = await handled(engine, jsonFields, request, text);
    } catch (error) {
      console.error("query engine:", text.slice(0, 500), error);
      const told = { message: String(error), error_code: "P2000", meta: {} };
      answer = { errors: [{ error: String(error), user_facing_error: told }] };
    }
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(answer));
  });
  server.listen(Number(process.argv[process.argv.indexOf("-p") + 1]), "localhost");
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || process.exit(0), 1000); // the proxy was killed
}

main();
