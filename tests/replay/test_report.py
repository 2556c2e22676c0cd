"""hvrec report: a page that shows the run in a real browser, whatever is in the trace, and stays small."""
import json
import os
import re
import shutil

import harness
from browser import Browser, picture_colors
from harness import check, error_line, hvrec, payload, record, test

PAGE_BYTES_MAX = 5 << 20


def report(trace="trace", page="page.html"):
    result = hvrec("report", trace, "-o", page)
    check(result.status == 0 and not result.out, f"report: {result}")
    check(os.path.getsize(page) < PAGE_BYTES_MAX, f"the page has {os.path.getsize(page)} bytes")
    facts = hvrec("info", trace, "--json")
    check(facts.status == 0, f"info: {facts}")
    return json.loads(facts.out)


def open_page(browser, page="page.html"):
    browser.open(page)
    no_errors(browser)


def no_errors(browser):
    check(browser.ask("document.documentElement.dataset.ready") == "1", "the page's script did not come to its end")
    check(not browser.ask("document.documentElement.dataset.errors"),
          f"errors in the page: {browser.ask('document.documentElement.dataset.errors')}")


def fact(browser, name):
    return browser.ask(f"""document.querySelector('[data-fact="{name}"]').firstChild.textContent""")


def event_table(browser):
    """The numbers in the table of events by kind, as a reader sees them."""
    rows = browser.ask("""[...document.querySelectorAll('#tables section')]
        .find((card) => card.querySelector('h2').textContent === 'Events by kind')
        .innerText""")
    return {name: int(number.replace(",", "")) for name, number in
            re.findall(r"^([A-Z_]+)\n[^\n]*?\s+([\d,]+)\s*$", rows, re.MULTILINE)}


def lines(browser):
    return browser.ask("[...document.querySelectorAll('#lines span')].map((line) => line.textContent)")


def agrees(browser, facts):
    """What the page shows is what `hvrec info` says, and its bins add up to it."""
    check(fact(browser, "Events") == f"{facts['event_count']:,}", f"events: {fact(browser, 'Events')}")
    check(fact(browser, "Instructions") == f"{facts['instructions']:,}", f"length {fact(browser, 'Instructions')}")
    check(fact(browser, "Guest time") == f"{facts['guest_ns'] / 1e9:.9f} s", f"time {fact(browser, 'Guest time')}")
    counted = {kind: count for kind, count in facts["events"].items() if count}
    check(event_table(browser) == counted, f"the table says {event_table(browser)}, info {counted}")
    binned = browser.ask("Object.fromEntries(kinds.map(({ id, name }) => "
                         "[name, countIn(id, 0, bins.ns * bins.count)]))")
    check({kind: count for kind, count in binned.items() if count} == counted, f"the bins have {binned}")
    idle = browser.ask("bins.idle[bins.count]")
    check(idle == facts["guest_ns"] - facts["instructions"], f"the bins have {idle} ns of idle time")


def drawn(browser, *colors):
    """The canvas of the timeline has something in each of these colours of the style."""
    for color in colors:
        count = browser.ask(f"""(() => {{
            const wanted = palette()['{color}'].match(/[0-9a-f]{{2}}/g).map((part) => parseInt(part, 16));
            const {{ data }} = lanesCanvas.getContext('2d').getImageData(0, 0, lanesCanvas.width, lanesCanvas.height);
            let found = 0;
            for (let i = 0; i < data.length; i += 4)
                found += wanted.every((part, channel) => data[i + channel] === part) && data[i + 3] === 255;
            return found;
        }})()""")
        check(count > 50, f"the timeline has {count} pixels of {color}")


def span(browser):
    return browser.ask("view.to - view.from")


def lane(browser, name):
    """A point in a row of the timeline: where its largest column begins, and the row's middle."""
    return browser.ask(f"""(() => {{
        const row = geometry.rows.find(({{ lane }}) => lane.name === '{name}'), ns = columnNs();
        const {{ columns, most }} = columnsOf(row.lane, ns), box = lanesCanvas.getBoundingClientRect();
        const time = columns.find(({{ sum }}) => sum === most).from + ns / 2;
        return [box.left + xOf(time), box.top + row.top + row.height / 2];
    }})()""")


def places_and_lines(browser, text):
    """Where a line was printed, a click on the timeline leads to the line, and a click on the line to the place."""
    browser.window(1280, 1000)
    browser.ask("show(0, run.ns)")
    number = next(i for i, line in enumerate(lines(browser)) if text in line)
    browser.ask(f"show(lineTimes[{number}] - 1e6, lineTimes[{number}] + 1e6)")
    browser.settle()
    browser.click(*browser.ask(f"""(() => {{
        const row = geometry.rows.find(({{ lane }}) => lane.name === 'Console');
        const box = lanesCanvas.getBoundingClientRect();
        return [box.left + xOf(lineTimes[{number}]) + 1, box.top + row.bars.bottom - 2];
    }})()"""))
    row = f"document.querySelector('[data-line=\"{number}\"]').getBoundingClientRect()"
    box = "linesBox.getBoundingClientRect()"
    check(browser.ask(f"{row}.top >= {box}.top && {row}.bottom <= {box}.bottom"), "the console does not follow")
    browser.ask("show(0, 1e6); document.querySelector('[data-line=\"%d\"]').click()" % number)
    browser.settle()
    check(browser.ask(f"place.time === lineTimes[{number}] && view.from <= place.time && place.time <= view.to"),
          "a click on a line does not lead to its place")


@test
def report_of_a_debian_boot_in_a_browser():
    record(*harness.debian("cloud"), "--console", "console.log")
    facts = report()
    with open("console.log", "rb") as file:
        printed = file.read().decode().replace("\r\n", "\n").splitlines()
    with Browser() as browser:
        browser.window(1280, 1000)
        open_page(browser)
        agrees(browser, facts)
        check(browser.ask("document.title").startswith("trace "), f"title {browser.ask('document.title')}")
        check(fact(browser, "Final state hash") == facts["final_state_hash"], "another final state hash")
        check(browser.ask("element('command').textContent") == facts["bootargs"], "another command line")
        check(lines(browser) == printed, f"console of {len(lines(browser))} lines, printed were {len(printed)}")
        check(any("Booting Linux on physical CPU" in line for line in lines(browser)), "no boot on the console")
        check(any("reboot: Power down" in line for line in lines(browser)), "no end of the boot on the console")
        check(browser.ask("document.querySelectorAll('*').length") > 500, "hardly any elements")
        for width, dark in ((1280, False), (1280, True), (400, False), (400, True)):
            browser.window(width, 1000, dark)
            part = {"x": 0, "y": 0, "width": width, "height": 1000, "scale": 0.5}
            colors = picture_colors(browser.screenshot("picture.png", clip=part))
            drawn(browser, "lane", "output", "read", "write", "system", "interrupt", "exit")
            check(colors > 50, f"the picture at {width} px has {colors} colours")
            wide = browser.ask("document.documentElement.scrollWidth")
            check(wide <= width, f"at {width} px the page is {wide} px wide")
        places_and_lines(browser, "Freeing unused kernel memory")
        no_errors(browser)


@test
def report_names_kernel_functions():
    record(*harness.debian("cloud"), "--max-instructions", "200M", status=3)
    result = hvrec("report", "trace", "-o", "page.html", "--function-names")
    check(result.status == 0, f"report --function-names: {result}")
    with Browser() as browser:
        open_page(browser)
        rows = browser.ask("element('tables').innerText")
        check("pl011_console_putchar" in rows, f"the driver of the console does not trap: {rows}")
    record(payload("console"))
    line = error_line(hvrec("report", "trace", "-o", "none.html", "--function-names"), "report")
    check("Linux" in line and not os.path.exists("none.html"), f"names of what is no kernel: {line}")


def places_of(trace):
    """Index, position, guest time and pc of each event."""
    idle_ns, places = 0, []
    for event in harness.events(trace):
        places.append([event.index, event.n, event.n + idle_ns, f"{event.pc:016x}"])
        idle_ns += event.value if event.kind == 10 else 0
    return places


@test
def report_zooms_and_leads_to_places():
    record(payload("wfi"))
    facts = report()
    positions = {event.n for event in harness.events("trace")}
    with Browser() as browser:
        browser.window(1280, 1000)
        open_page(browser)
        whole = span(browser)
        check(whole == facts["guest_ns"], f"at first {whole} ns are shown")
        places = browser.ask("[...events.n].map((n, i) => [events.index[i], n, events.time[i], "
                             "events.pcs[events.pc[i]]])")
        check(places == places_of("trace"), "the places of single events are not those of the trace")
        x, y = lane(browser, "Interrupts")
        browser.wheel(x, y, -500)
        after_wheel = span(browser)
        check(after_wheel < whole, "the wheel does not zoom")
        browser.click(x, y, count=2)
        check(span(browser) < after_wheel, "a double click does not zoom")
        before = browser.ask("view.from")
        browser.key("ArrowRight")
        check(browser.ask("view.from") > before, "the arrow key does not move")
        browser.key("-")
        browser.key("0")
        check(span(browser) == whole, "0 does not show the whole run")
        browser.drag(x, y, x + 100)
        check(span(browser) < whole / 3, "a drag does not choose a part")
        for name in ("Interrupts", "Device accesses", "Console"):
            browser.key("0")
            browser.click(*lane(browser, name))
            seek = browser.ask("element('place-seek').textContent")
            number = re.fullmatch(r"monitor seek (\d+)", seek)
            check(number and int(number[1]) in positions, f"a click on {name} gives {seek!r}")
            browser.wait("element('toast').textContent.startsWith('Copied')")
            check(browser.ask("element('toast').textContent") == f"Copied: {seek}", "something else was copied")
        browser.ask("document.querySelector('#place tr[data-n]').click()")
        no_errors(browser)


@test
def report_shows_text_of_the_trace_as_text():
    evil = """</script><script>problem("ran")</script><img src=x onerror="problem('ran')"> "quoted" \\ 'é' """
    name = "</script><b>name"
    os.symlink(payload("echo"), "payload")
    os.rename("payload", name.replace("/", "\u2215"))
    with open("input", "wb") as file:
        file.write(evil.replace("q", "Q").encode() + b"\r\n"
                   b"bad \xff\xfe \xc3 \x1b[31mred\x1b[0m \x01\x7f <!-- \xe2\x80\xa8 end\nq")
    record("--input", "input", "--console", "console.log", name.replace("/", "\u2215"), evil)
    facts = report()
    with open("page.html", encoding="utf-8") as file:  # fails if it is not UTF-8
        page = file.read()
    check(page.lower().count("</script") == 2, f"the page has {page.lower().count('</script')} ends of a script")
    with Browser() as browser:
        browser.window(1280, 1000)
        open_page(browser)
        agrees(browser, facts)
        check(browser.ask("element('command').textContent") == evil, "the command line is not what it was")
        text = "\n".join(lines(browser))
        check(evil.replace("q", "Q").strip() in text, f"the console is not what was printed: {text!r}")
        check("bad \ufffd\ufffd \ufffd red \u2401\u2421 <!-- \u2028 end" in text, f"bytes that are no text: {text!r}")
        check(browser.ask("document.images.length") == 0, "text of the trace became an element")


@test
def report_of_a_long_trace_is_bounded():
    with open("input", "wb") as file:
        for number in range(13000):
            file.write(b"%d\n" % number)
        file.write(b"q")
    record("--input", "input", "--console", "none", payload("echo"))
    facts = report()
    check(facts["event_count"] > 300000, f"only {facts['event_count']} events")
    with Browser() as browser:
        browser.window(1280, 1000)
        open_page(browser)
        agrees(browser, facts)
        left_out = browser.ask("element('footer').textContent")
        check("one by one" in left_out and "Of the console" in left_out, f"what the page lacks: {left_out}")
        shown = lines(browser)
        check(1000 < len(shown) < 20000, f"{len(shown)} lines of the console")
        check("0" in shown[:3], f"not the first lines: {shown[:3]}")
        check("12999" in shown[-5:], f"not the last lines: {shown[-5:]}")
        x, y = lane(browser, "Device accesses")
        for _ in range(6):
            browser.wheel(x, y, -2000)
        no_errors(browser)


@test
def report_of_an_incomplete_trace():
    process = harness.start("record", "-o", "trace", "--quiet", payload("hang"))
    harness.machine_pid()
    live = hvrec("report", "trace", "-o", "live.html")
    check(live.status == 0, f"report of a live trace: {live}")
    process.kill()
    harness.finish(process)
    report()
    with Browser() as browser:
        open_page(browser)
        check("incomplete" in browser.ask("element('state').textContent"), "the page does not say incomplete")


@test
def report_refuses_what_it_cannot_do():
    record(payload("console"))
    for arguments, mention in (([], "TRACE"), (["missing"], "missing"), (["trace", "other"], "TRACE"),
                               (["--nonsense", "trace"], "option"), (["trace", "-o"], "option"),
                               (["trace", "-o", "trace"], "is a trace"), (["trace", "-o", "no/page.html"], "no/page.html"),
                               (["trace", "-o", "/dev/full"], "/dev/full"), (["trace", "-o", "."], ".")):
        line = error_line(hvrec("report", *arguments), "report")
        check(mention in line, f"the message does not mention {mention}: {line}")
    harness.only_files("trace")
    harness.replay()
    result = hvrec("report", "trace")
    check(result.status == 0 and os.path.exists("trace.html"), f"report without -o: {result}")


@test
def report_of_a_damaged_trace_leaves_the_output_alone():
    record(payload("console"))
    report()
    before = open("page.html", "rb").read()
    shutil.copyfile("trace", "damaged")
    harness.trace_edit("stored", "damaged", 20, 1)
    error_line(hvrec("report", "damaged", "-o", "page.html"), "report")
    check(open("page.html", "rb").read() == before, "the older page was changed")


@test
def each_vcpu_has_a_lane():
    record("--smp", "3", "--console", "none", payload("smp_timers"))
    facts = report()
    stat = json.loads(hvrec("stat", "--format", "json", "trace").out)
    with Browser() as browser:
        open_page(browser)
        agrees(browser, facts)
        drawn(browser, "run", "idle")
        names = browser.ask("LANES.map((lane) => lane.name)")
        check(names[-3:] == ["vCPU 0", "vCPU 1", "vCPU 2"], f"lanes {names}")
        for vcpu, expected in enumerate(stat["vcpus"]):
            whole = browser.ask(f"vcpuIn({vcpu}, 0, bins.ns * bins.count).map((share) => share * bins.ns * bins.count)")
            for part, name in zip(whole, ("instructions", "ready_ns", "waits_ns")):
                check(abs(part - expected[name]) < 2, f"vCPU {vcpu}, {name}: {part} in the bins, {expected[name]} in stat")
            exact = browser.ask(f"vcpus.spans[{vcpu}].reduce((all, one) => {{ all[one.doing] += one.to - one.from; "
                                "return all; }, [0, 0, 0, 0])")
            check(exact[3] == expected["instructions"] and exact[1] == expected["waits_ns"], f"vCPU {vcpu}: {exact}")
        turn = json.loads(hvrec("sql", "trace", "--format", "json", "SELECT * FROM turns WHERE end_n - n > 1000 "
                                "ORDER BY end_n - n LIMIT 1").out)[0]
        inside = browser.ask(f"vcpuIn({turn['vcpu']}, {turn['time_ns'] + 1}, {turn['time_ns'] + 65})")
        check(inside == [1, 0, 0], f"inside of the turn {turn} it runs {inside}")
        cards = browser.ask("[...document.querySelectorAll('#tables section')].map((card) => card.innerText).join('\\n')")
        for card in ("vCPUs", "Interrupts by vCPU", "Why turns ended", "waits for an interrupt"):
            check(card in cards, f"no {card} among the tables")
        no_errors(browser)


if __name__ == "__main__":
    harness.main()
