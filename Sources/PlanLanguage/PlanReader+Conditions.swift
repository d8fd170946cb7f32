import Identity
import Pricing
import StrictYAML

/// Places, times and holidays.
extension PlanReader {
    mutating func readRegions(_ field: DocumentField) -> [RegionPricing] {
        (reader.elements(field, countMax: PlanDocument.regionsMax) ?? []).compactMap { element in
            guard let fields = reader.fields(element, known: PlanKeys.region) else { return nil }
            let region = required("region", in: fields, of: element, example: "us-*") { $0.text($1) }
            let scope = scope(in: fields)
            let factors = reader.factors(in: fields)
            return region.map { RegionPricing(region: $0, scope: scope, factors: factors) }
        }
    }

    mutating func readTimes(_ field: DocumentField) -> [TimePricing] {
        (reader.elements(field, countMax: PlanDocument.timesMax) ?? []).compactMap { readTime($0) }
    }

    private mutating func readTime(_ field: DocumentField) -> TimePricing? {
        guard let fields = reader.fields(field, known: PlanKeys.time) else { return nil }
        let name = required("name", in: fields, of: field, example: "peak") { $0.text($1) }
        let zoneName = required("zone", in: fields, of: field, example: "UTC") { $0.text($1) }
        let when = required("when", in: fields, of: field, example: "[{from: \"08:00\", to: \"18:00\"}]") {
            $0.spans($1)
        }
        let holidays = fields["holidays"].flatMap { reader.text($0) }
        let scope = scope(in: fields)
        let factors = reader.factors(in: fields)
        guard let name, let zoneName, let when else { return nil }
        guard let zone = ClockZone(zoneName) else {
            reader.report(
                "\"\(zoneName)\" is not a time zone; use an IANA name such as Asia/Shanghai or UTC",
                at: fields["zone"] ?? field)
            return nil
        }
        return TimePricing(name: name, zone: zone, holidays: holidays, spans: when, scope: scope, factors: factors)
    }

    private mutating func scope(in fields: [String: DocumentField]) -> PricingScope {
        PricingScope(
            models: fields["models"].map { reader.words($0) } ?? [],
            tiers: fields["tiers"].map { reader.words($0) } ?? [])
    }

    mutating func readHolidays(_ field: DocumentField) -> [String: HolidayCalendar] {
        var calendars: [String: HolidayCalendar] = [:]
        let entries = reader.entries(field) ?? []
        if entries.count > PlanDocument.holidayCalendarsMax {
            reader.report("at most \(PlanDocument.holidayCalendarsMax) calendars are allowed", at: field)
        }
        for (name, entry) in entries.prefix(PlanDocument.holidayCalendarsMax) {
            guard let fields = reader.fields(entry, known: PlanKeys.holidays) else { continue }
            let until = required("until", in: fields, of: entry, example: "2026-12-31") { $0.day($1) }
            let days = required("days", in: fields, of: entry, example: "[2026-01-01]") { reader, field in
                (reader.elements(field, countMax: PlanDocument.holidaysMax) ?? []).compactMap { reader.day($0) }
            }
            guard let until, let days else { continue }
            if Set(days).count < days.count { reader.report("a day stands here twice", at: fields["days"] ?? entry) }
            calendars[name] = HolidayCalendar(until: until, days: days)
        }
        return calendars
    }
}

extension DocumentReader {
    /// A list of plain words, each once.
    mutating func words(_ field: DocumentField) -> [String] {
        let elements = elements(field, countMax: PlanDocument.regionsMax) ?? []
        if elements.isEmpty { report("name at least one, or remove the key", at: field) }
        var words: [String] = []
        for element in elements {
            guard let word = text(element) else { continue }
            if words.contains(word) { report("\"\(word)\" stands here twice; remove one", at: element) }
            words.append(word)
        }
        return words
    }

    mutating func day(_ field: DocumentField) -> CivilDate? {
        guard let text = text(field) else { return nil }
        if let day = CivilDate(text) { return day }
        report("\"\(text)\" is not a day; write one such as 2026-10-01", at: field)
        return nil
    }

    mutating func spans(_ field: DocumentField) -> [WeeklySpan]? {
        (elements(field, countMax: PlanDocument.timesMax) ?? []).compactMap { element in
            guard let fields = fields(element, known: PlanKeys.span) else { return nil }
            var span = WeeklySpan()
            for word in fields["days"].map({ words($0) }) ?? [] {
                guard let day = WeeklySpan.Day(rawValue: word) else {
                    let words = WeeklySpan.Day.allCases.map(\.rawValue).joined(separator: ", ")
                    report("\"\(word)\" is not one of: \(words)", at: fields["days"] ?? element)
                    continue
                }
                span.days.insert(day)
            }
            span.from = fields["from"].flatMap { minute($0, through: 1439) } ?? 0
            span.to = fields["to"].flatMap { minute($0, through: 1440) } ?? 1440
            return span
        }
    }

    /// `HH:MM`, as minutes of the day.
    private mutating func minute(_ field: DocumentField, through last: Int64) -> Int64? {
        guard let text = text(field) else { return nil }
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        let numbers = parts.compactMap { part in part.count == 2 ? Int64(String(decoding: part, as: UTF8.self)) : nil }
        if parts.count == 2, numbers.count == 2, field.node.isQuoted, (0...24).contains(numbers[0]),
            (0...59).contains(numbers[1]), numbers[0] * 60 + numbers[1] <= last
        {
            return numbers[0] * 60 + numbers[1]
        }
        report("\"\(text)\" is not a time of day; write one in quotes, such as \"08:30\"", at: field)
        return nil
    }
}
