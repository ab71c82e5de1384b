// The interface page: reads openapi.json and asyncapi.json, shows what is there, and tries it.

const LOG_LINES = 500;
const byId = (id) => document.getElementById(id);

/** An element with properties and children; text goes in as text, never as markup. */
function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
        if (name in element) element[name] = value;
        else element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
}

// ---- The token ----

const tokenField = byId('token');
tokenField.value = sessionStorage.getItem('fanfare-token') ?? '';
tokenField.addEventListener('change', () => {
    sessionStorage.setItem('fanfare-token', tokenField.value.trim());
    load();
});

const authorization = () => {
    const token = tokenField.value.trim();
    return token ? { Authorization: `Bearer ${token}` } : {};
};

const protocols = () => {
    const token = tokenField.value.trim();
    return token ? ['fanfare', `fanfare.token.${token}`] : ['fanfare'];
};

// ---- Schemas ----

/** Follows a reference within the document. */
function resolve(doc, value) {
    if (!value?.$ref) return value;
    const path = value.$ref.slice(2).split('/').map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
    return path.reduce((at, part) => at?.[part], doc);
}

/** An example of what a schema describes. */
function exampleOf(doc, schema, depth = 0) {
    const s = resolve(doc, schema);
    if (!s || depth > 4) return null;
    if (s.examples?.length) return s.examples[0];
    if ('const' in s) return s.const;
    if (s.enum) return s.enum[0];
    if (s.allOf) return Object.assign({}, ...s.allOf.map((part) => exampleOf(doc, part, depth + 1)));
    const type = Array.isArray(s.type) ? s.type[0] : s.type;
    if (s.properties || type === 'object') {
        const members = Object.entries(s.properties ?? {});
        return Object.fromEntries(members.map(([name, value]) => [name, exampleOf(doc, value, depth + 1)]));
    }
    if (type === 'array') return s.items ? [exampleOf(doc, s.items, depth + 1)] : [];
    if (type === 'integer' || type === 'number') return s.minimum ?? 0;
    if (type === 'boolean') return false;
    if (s.format === 'date-time') return '2026-01-31T12:00:00.123Z';
    return type === 'string' ? 'string' : null;
}

/** The members of a schema in one list: those of all its parts. */
function membersOf(doc, schema) {
    const s = resolve(doc, schema) ?? {};
    const required = new Set(s.required ?? []);
    const own = Object.entries(s.properties ?? {}).map(([name, value]) =>
        ({ name, schema: resolve(doc, value), required: required.has(name) }));
    const members = new Map();
    for (const member of [...(s.allOf ?? []).flatMap((part) => membersOf(doc, part)), ...own]) {
        const before = members.get(member.name);
        members.set(member.name, before
            ? { ...member, schema: { ...before.schema, ...member.schema }, required: before.required || member.required }
            : member);
    }
    return [...members.values()];
}

function valueText(schema) {
    if ('const' in schema) return JSON.stringify(schema.const);
    if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(' | ');
    const type = [schema.type ?? 'any'].flat().join(' or ');
    const range = [schema.minimum !== undefined ? `≥ ${schema.minimum}` : '',
        schema.maximum !== undefined ? `≤ ${schema.maximum}` : ''].filter(Boolean).join(', ');
    return range ? `${type}, ${range}` : type;
}

function fieldTable(doc, schema) {
    const members = membersOf(doc, schema);
    if (!members.length) return null;
    return make('table', {},
        make('thead', {}, make('tr', {}, ...['Field', 'Value', 'Meaning'].map((text) => make('th', { scope: 'col' }, text)))),
        make('tbody', {}, ...members.map((member) => make('tr', {},
            make('td', {}, make('code', { className: member.required ? 'needed' : '' }, member.name)),
            make('td', {}, valueText(member.schema)),
            make('td', {}, member.schema.description ?? '')))));
}

const pretty = (text) => {
    try {
        return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
        return text;
    }
};

// ---- Trying an endpoint ----

/** A log that keeps its last lines and stays at the end while the reader is there. */
function makeLog() {
    const box = make('pre', { hidden: true, tabIndex: 0, ariaLabel: 'Messages' });
    return {
        box,
        add(text, className = '') {
            const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 30;
            box.hidden = false;
            box.append(make('span', { className }, text));
            while (box.childNodes.length > LOG_LINES) box.firstChild.remove();
            if (atEnd) box.scrollTop = box.scrollHeight;
        },
        clear() {
            box.replaceChildren();
            box.hidden = true;
        },
    };
}

/** The URL that the form's fields make, relative to this page, so that a base path holds. */
function urlOf(path, fields) {
    const query = new URLSearchParams();
    let filled = path;
    for (const { parameter, input } of fields) {
        const value = input.value.trim();
        if (parameter.in === 'path') filled = filled.replace(`{${parameter.name}}`, encodeURIComponent(value));
        if (parameter.in !== 'query' || !value) continue;
        const values = parameter.schema.type === 'array' ? value.split(/\s*,\s*/) : [value];
        for (const each of values) query.append(parameter.name, each);
    }
    const text = query.toString();
    return new URL(`.${filled}${text ? `?${text}` : ''}`, document.baseURI);
}

const headersOf = (fields) => Object.fromEntries(fields
    .filter(({ parameter, input }) => parameter.in === 'header' && input.value.trim())
    .map(({ parameter, input }) => [parameter.name, input.value.trim()]));

/** Reads an answer piece by piece, so that streams are seen as they come. */
async function showAnswer(response, log, isStream) {
    const type = response.headers.get('content-type') ?? '';
    if (!isStream) {
        const text = await response.text();
        log.add(type.includes('json') ? pretty(text) : text);
        return;
    }
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        log.add(decoder.decode(value, { stream: true }));
    }
}

function tryRequest(method, path, operation, fields, body) {
    const send = make('button', { className: 'go', type: 'submit' }, 'Send');
    const stop = make('button', { type: 'button', hidden: true }, 'Stop');
    const status = make('span', { className: 'status', role: 'status' });
    const log = makeLog();
    let running = null;
    stop.addEventListener('click', () => running?.abort());

    async function submit() {
        running?.abort();
        const controller = (running = new AbortController());
        const began = performance.now();
        log.clear();
        status.className = 'status';
        status.textContent = '…';
        stop.hidden = !operation['x-stream'];
        const headers = { ...authorization(), ...headersOf(fields) };
        if (body) headers['Content-Type'] = body.media.value;
        try {
            const response = await fetch(urlOf(path, fields), {
                method: method.toUpperCase(), headers, body: body?.text.value, signal: controller.signal, cache: 'no-store',
            });
            status.className = `status ${response.ok ? 'good' : 'bad'}`;
            status.textContent = `${response.status} ${response.statusText}, ${Math.round(performance.now() - began)} ms`;
            await showAnswer(response, log, operation['x-stream'] && response.ok);
        } catch (error) {
            if (!controller.signal.aborted) {
                status.className = 'status bad';
                status.textContent = `No answer: ${error.message}`;
            }
        }
        if (running === controller) stop.hidden = true;
    }
    return { submit, parts: [make('div', { className: 'row' }, send, stop, status), log.box] };
}

function trySocket(path, fields) {
    const connect = make('button', { className: 'go', type: 'submit' }, 'Connect');
    const close = make('button', { type: 'button', hidden: true }, 'Close');
    const status = make('span', { className: 'status', role: 'status' });
    const text = make('input', { ariaLabel: 'Message to send', value: '{"type":"ping"}', spellcheck: false });
    const send = make('button', { type: 'button', disabled: true }, 'Send message');
    const log = makeLog();
    let socket = null;

    function submit() {
        socket?.close();
        const url = urlOf(path, fields);
        url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
        const mine = (socket = new WebSocket(url, protocols()));
        log.clear();
        status.textContent = 'connecting…';
        mine.onopen = () => {
            status.textContent = 'open';
            send.disabled = close.hidden = false;
        };
        mine.onmessage = (event) => log.add(`← ${event.data}\n`, 'received');
        mine.onclose = (event) => {
            log.add(`closed: ${event.code} ${event.reason}\n`);
            if (mine !== socket) return;
            status.textContent = 'closed';
            send.disabled = close.hidden = true;
        };
    }
    close.addEventListener('click', () => socket?.close());
    const sendText = () => {
        if (socket?.readyState !== WebSocket.OPEN) return;
        socket.send(text.value);
        log.add(`→ ${text.value}\n`, 'sent');
    };
    send.addEventListener('click', sendText);
    text.addEventListener('keydown', (event) => {
        if (event.key !== 'Enter') return;
        event.preventDefault();
        sendText();
    });
    return {
        submit,
        parts: [make('div', { className: 'row' }, connect, close, status),
            make('div', { className: 'row' }, text, send), log.box],
    };
}

// ---- Endpoints ----

function parameterTable(parameters) {
    const fields = parameters.map((parameter) => ({
        parameter,
        input: make('input', {
            required: parameter.required, spellcheck: false, autocomplete: 'off', ariaLabel: parameter.name,
            placeholder: parameter.schema.type === 'array' ? 'several with commas' : parameter.schema.type,
        }),
    }));
    const table = fields.length && make('table', {}, make('tbody', {}, ...fields.map(({ parameter, input }) =>
        make('tr', {},
            make('td', {}, make('code', { className: parameter.required ? 'needed' : '' }, parameter.name),
                ` ${parameter.in}`),
            make('td', {}, input),
            make('td', {}, parameter.description ?? '')))));
    return { fields, parts: table ? [make('h3', {}, 'Parameters'), table] : [] };
}

function bodyEditor(doc, operation) {
    const content = operation.requestBody?.content;
    if (!content) return { body: null, parts: [] };
    const media = make('select', { ariaLabel: 'Content type' }, ...Object.keys(content).map((type) => make('option', {}, type)));
    const example = exampleOf(doc, content[media.value].schema);
    const text = make('textarea', { value: JSON.stringify(example, null, 2), spellcheck: false, ariaLabel: 'Body' });
    media.addEventListener('change', () => {
        text.value = JSON.stringify(example, null, media.value.includes('ndjson') ? 0 : 2);
    });
    return {
        body: { media, text },
        parts: [make('h3', {}, 'Body'), make('div', { className: 'row' }, media), text,
            fieldTable(doc, content[media.value].schema)],
    };
}

function answerTable(operation) {
    const rows = Object.entries(operation.responses).map(([status, answer]) => make('tr', {},
        make('td', {}, make('code', {}, status)),
        make('td', {}, answer.description, ' ',
            make('code', {}, Object.keys(answer.content ?? {}).join(', ')))));
    return [make('h3', {}, 'Answers'), make('table', {}, make('tbody', {}, ...rows))];
}

/** The inside of an endpoint; made when it is opened first. */
function endpointBody(doc, method, path, operation) {
    const { fields, parts: parameterParts } = parameterTable(operation.parameters ?? []);
    const { body, parts: bodyParts } = bodyEditor(doc, operation);
    const attempt = operation['x-websocket'] ? trySocket(path, fields) : tryRequest(method, path, operation, fields, body);
    const form = make('form', {}, ...parameterParts, ...bodyParts.filter(Boolean), ...attempt.parts);
    form.addEventListener('submit', (event) => {
        event.preventDefault();
        attempt.submit();
    });
    return make('div', {}, operation.description && make('p', {}, operation.description), form, ...answerTable(operation));
}

/** One entry that opens; title stands for it in the contents. */
function item(id, badge, badgeClass, name, about, title, makeBody) {
    const details = make('details', { className: 'item', id },
        make('summary', {}, make('span', { className: `badge ${badgeClass}` }, badge), make('code', {}, name),
            make('span', { className: 'about' }, about)));
    details.addEventListener('toggle', () => {
        if (details.open && details.children.length === 1) details.append(makeBody());
    });
    details.dataset.title = title;
    details.dataset.find = `${badge} ${name} ${about}`.toLowerCase();
    return details;
}

function showEndpoints(doc) {
    const groups = new Map((doc.tags ?? []).map((tag) => [tag.name, []]));
    for (const [path, operations] of Object.entries(doc.paths)) {
        for (const [method, operation] of Object.entries(operations)) {
            const socket = operation['x-websocket'];
            groups.get(operation.tags[0]).push(item(operation.operationId, socket ? 'WS' : method.toUpperCase(),
                socket ? 'socket' : method, path, operation.summary, operation.summary, () => endpointBody(doc, method, path, operation)));
        }
    }
    byId('endpoints').replaceChildren(...[...groups].flatMap(([name, items]) => [make('h2', {}, name), ...items]));
}

// ---- Messages ----

function messageBody(doc, message) {
    const example = { ...exampleOf(doc, message.payload), type: message.name };
    return make('div', {}, fieldTable(doc, message.payload), make('h3', {}, 'Example'),
        make('pre', { tabIndex: 0 }, JSON.stringify(example, null, 2)));
}

function showMessages(doc) {
    const parts = [];
    for (const operation of Object.values(doc.operations)) {
        const channel = resolve(doc, operation.channel);
        const sent = operation.action === 'send';
        parts.push(make('h2', {}, `${channel.title}: from the ${sent ? 'server' : 'client'}`),
            make('p', { className: 'lead' }, make('code', {}, channel.address), sent ? ` ${channel.description}` : ''));
        for (const reference of operation.messages) {
            const message = resolve(doc, resolve(doc, reference));
            parts.push(item(`${operation.action}-${message.name}`, sent ? 'server' : 'client', sent ? 'received' : 'sent',
                message.name, message.summary, message.name, () => messageBody(doc, message)));
        }
    }
    byId('messages').replaceChildren(...parts);
}

// ---- The page ----

function showContents() {
    const links = [...document.querySelectorAll('main h2, main details.item')].map((element) =>
        element.tagName === 'H2' ? make('strong', {}, element.textContent)
            : make('a', { href: `#${element.id}` }, element.dataset.title));
    byId('contents').replaceChildren(...links);
}

function openTarget() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target?.tagName === 'DETAILS') {
        target.open = true;
        target.scrollIntoView();
    }
}

byId('search').addEventListener('input', (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const each of document.querySelectorAll('details.item')) each.hidden = !each.dataset.find.includes(wanted);
});
addEventListener('hashchange', openTarget);

async function fetchDocument(name) {
    const response = await fetch(name, { headers: authorization() });
    if (response.status === 401 || response.status === 403) throw new Error('The server wants a token: paste one above.');
    if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
    return response.json();
}

async function load() {
    const problem = byId('problem');
    try {
        const [openapi, asyncapi] = await Promise.all([fetchDocument('openapi.json'), fetchDocument('asyncapi.json')]);
        byId('version').textContent = openapi.info.version;
        showEndpoints(openapi);
        showMessages(asyncapi);
        showContents();
        problem.hidden = true;
        openTarget();
    } catch (error) {
        problem.textContent = error.message;
        problem.hidden = false;
    }
}

load();
