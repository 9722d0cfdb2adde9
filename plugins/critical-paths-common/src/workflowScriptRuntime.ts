/**
 * The part of the script that is the same for every workflow. It does what
 * `workflowValues.ts` does, in the JavaScript of the monitor's runtime (Node 16
 * and newer); a test holds the two against each other.
 */
export const RUNTIME = String.raw`
var assert = require('assert');
var crypto = require('crypto');

var values = {};
var began = Date.now();
var own = Object.prototype.hasOwnProperty;

function asText(value) {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function valueOf(name) {
  if (!own.call(values, name)) {
    throw new Error('the variable ' + name + ' has no value');
  }
  return values[name];
}

function fillText(template, encode) {
  return template.replace(/\{\{\s*([a-zA-Z][a-zA-Z0-9_]*)\s*\}\}/g, function (_, name) {
    var text = asText(valueOf(name));
    return encode ? encode(text) : text;
  });
}

function fillJson(template) {
  if (typeof template === 'string') {
    var whole = /^\{\{\s*([a-zA-Z][a-zA-Z0-9_]*)\s*\}\}$/.exec(template);
    return whole ? valueOf(whole[1]) : fillText(template);
  }
  if (Array.isArray(template)) {
    return template.map(fillJson);
  }
  if (template !== null && typeof template === 'object') {
    return Object.fromEntries(
      Object.entries(template).map(function (entry) {
        return [entry[0], fillJson(entry[1])];
      }),
    );
  }
  return template;
}

function fillPath(template) {
  var filled = fillText(template, encodeURIComponent);
  if (filled.split('/').some(function (part) { return /^(\.|%2e){1,2}$/i.test(part); })) {
    throw new Error('the path ' + filled + ' must not hold . or .. as a segment');
  }
  return filled;
}

function readPointer(document, pointer) {
  var value = document;
  var parts = pointer.split('/').slice(1);
  for (var i = 0; i < parts.length; i++) {
    var key = parts[i].replace(/~1/g, '/').replace(/~0/g, '~');
    if (Array.isArray(value)) {
      value = /^(0|[1-9]\d*)$/.test(key) ? value[Number(key)] : undefined;
    } else if (value !== null && typeof value === 'object') {
      value = own.call(value, key) ? value[key] : undefined;
    } else {
      return undefined;
    }
  }
  return value;
}

function equal(a, b) {
  if (a === null || b === null || typeof a !== 'object') {
    return a === b;
  }
  if (typeof b !== 'object' || Array.isArray(a) !== Array.isArray(b)) {
    return false;
  }
  var keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every(function (key) { return own.call(b, key) && equal(a[key], b[key]); })
  );
}

function isDecimal(text) {
  return /^-?\d{1,20}(\.\d{1,20})?$/.test(text);
}

function decimals(text) {
  return (text.split('.')[1] || '').length;
}

function scaled(text, places) {
  var parts = text.split('.');
  return BigInt(parts[0] + (parts[1] || '').padEnd(places, '0'));
}

function compareDecimals(a, b) {
  var texts = [a, b].map(function (value) {
    return typeof value === 'number' || typeof value === 'string' ? String(value) : '';
  });
  if (!texts.every(isDecimal)) {
    return undefined;
  }
  var places = Math.max(decimals(texts[0]), decimals(texts[1]));
  var x = scaled(texts[0], places);
  var y = scaled(texts[1], places);
  return x === y ? 0 : x < y ? -1 : 1;
}

function matchesStatus(status, wanted) {
  return typeof wanted === 'number' ? status === wanted : String(status)[0] === wanted[0];
}

function compare(check, found) {
  var kind = ['equals', 'notEquals', 'contains', 'startsWith', 'atLeast', 'atMost', 'exists'].find(
    function (name) { return check[name] !== undefined; },
  );
  var filled = fillJson(check[kind]);
  var expected = check.header === undefined ? filled : asText(filled);
  var there = found !== undefined;
  var order;
  switch (kind) {
    case 'exists':
      return there === filled;
    case 'equals':
      return there && equal(found, expected);
    case 'notEquals':
      return there && !equal(found, expected);
    case 'contains':
      return (
        (typeof found === 'string' && found.includes(asText(expected))) ||
        (Array.isArray(found) && found.some(function (item) { return equal(item, expected); }))
      );
    case 'startsWith':
      return typeof found === 'string' && found.startsWith(asText(expected));
    default:
      order = there ? compareDecimals(found, expected) : undefined;
      return order !== undefined && (kind === 'atLeast' ? order >= 0 : order <= 0);
  }
}

function parseBody(answer) {
  if (typeof answer.body !== 'string') {
    return { value: answer.body };
  }
  try {
    return { value: JSON.parse(answer.body) };
  } catch (error) {
    return { error: answer.body === '' ? 'the answer is empty' : 'the answer is not JSON' };
  }
}

function passes(check, answer) {
  if (check.status !== undefined) {
    return [].concat(check.status).some(function (code) { return matchesStatus(answer.status, code); });
  }
  if (check.latencyMs !== undefined) {
    return answer.latencyMs <= check.latencyMs;
  }
  if (check.header !== undefined) {
    return compare(check, answer.headers[check.header.toLowerCase()]);
  }
  var body = parseBody(answer);
  return body.error === undefined && compare(check, readPointer(body.value, check.json));
}

function extractValue(extract, answer) {
  if (extract.header !== undefined) {
    var header = answer.headers[extract.header.toLowerCase()];
    if (header === undefined) {
      throw new Error('the answer has no header ' + extract.header);
    }
    if (extract.after === undefined) {
      return header;
    }
    var at = header.lastIndexOf(extract.after);
    if (at < 0) {
      throw new Error('the header ' + extract.header + ' does not hold ' + JSON.stringify(extract.after));
    }
    return header.slice(at + extract.after.length);
  }
  var body = parseBody(answer);
  if (body.error !== undefined) {
    throw new Error(body.error);
  }
  var found = readPointer(body.value, extract.json);
  if (found === undefined) {
    throw new Error('the answer has nothing at ' + extract.json);
  }
  return found;
}

function randomAmount(min, max) {
  var places = Math.max(decimals(min), decimals(max));
  var low = scaled(min, places);
  var steps = scaled(max, places) - low + BigInt(1);
  var range = BigInt(2) ** BigInt(52);
  var value = low + (steps * BigInt(Math.floor(Math.random() * 2 ** 52))) / range;
  var sign = value < 0 ? '-' : '';
  var digits = (value < 0 ? -value : value).toString().padStart(places + 1, '0');
  return sign + (places === 0 ? digits : digits.slice(0, -places) + '.' + digits.slice(-places));
}

function startValues() {
  values.runId = crypto.randomUUID();
  values.startedAt = new Date(began).toISOString();
  Object.keys(WORKFLOW.variables).forEach(function (name) {
    var variable = WORKFLOW.variables[name];
    if (variable.generate === 'uuid') {
      values[name] = crypto.randomUUID();
    } else if (variable.generate === 'now') {
      values[name] = values.startedAt;
    } else if (variable.generate === 'amount') {
      values[name] = randomAmount(variable.min, variable.max);
    } else {
      values[name] = variable.value;
    }
  });
}

function fail(step, message) {
  assert.fail('Step ' + step.name + ': ' + message);
}

function optionsOf(step) {
  var target = TARGETS[step.target];
  var url = new URL(target.baseUrl);
  url.pathname = url.pathname.replace(/\/$/, '') + fillPath(step.path);
  Object.keys(step.query).forEach(function (name) {
    url.searchParams.set(name, fillText(step.query[name]));
  });
  var headers = {
    accept: 'application/json',
    'user-agent': 'rocket-workflow/1',
    'x-rocket-synthetic': WORKFLOW.source,
  };
  if (step.method !== 'GET' && step.method !== 'HEAD') {
    headers['idempotency-key'] = values.runId + '-' + step.name;
  }
  var options = {
    url: url.toString(),
    method: step.method,
    headers: headers,
    followRedirect: false,
    throwHttpErrors: false,
    timeout: Math.max(1, Math.min(step.timeoutMs, began + WORKFLOW.deadlineMs - Date.now())),
  };
  if (step.body !== undefined) {
    headers['content-type'] = 'application/json';
    options.body = JSON.stringify(fillJson(step.body));
  }
  Object.keys(step.headers).forEach(function (name) {
    headers[name.toLowerCase()] = fillText(step.headers[name]);
  });
  Object.assign(headers, target.headers());
  return options;
}

function walk(index) {
  if (index === WORKFLOW.steps.length) {
    console.log('All ' + index + ' steps passed');
    return;
  }
  var step = WORKFLOW.steps[index];
  if (Date.now() - began > WORKFLOW.deadlineMs) {
    fail(step, 'the whole workflow took longer than ' + WORKFLOW.deadlineMs + ' ms');
  }
  var options;
  try {
    options = optionsOf(step);
  } catch (error) {
    fail(step, error.message);
  }
  var asked = Date.now();
  $http(options, function (error, response, body) {
    var latencyMs = Date.now() - asked;
    if (error && !response) {
      fail(step, error.message);
    }
    var headers = {};
    Object.keys(response.headers).forEach(function (name) {
      headers[name.toLowerCase()] = [].concat(response.headers[name]).join(', ');
    });
    var answer = {
      status: response.statusCode,
      headers: headers,
      body: body === undefined || body === null ? '' : body,
      latencyMs: latencyMs,
    };
    console.log(step.name + ': ' + answer.status + ' in ' + latencyMs + ' ms');
    step.expect.forEach(function (check) {
      var passed = false;
      try {
        passed = passes(check, answer);
      } catch (failure) {
        fail(step, failure.message);
      }
      if (!passed) {
        fail(step, 'expected ' + JSON.stringify(check));
      }
    });
    Object.keys(step.extract).forEach(function (name) {
      try {
        values[name] = extractValue(step.extract[name], answer);
      } catch (failure) {
        fail(step, failure.message);
      }
    });
    walk(index + 1);
  });
}

startValues();
walk(0);
`;
