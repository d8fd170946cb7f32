/// Tools among the input: text as anything else there, and some of them are sold by the call.
extension InputReader {
    private static let serverAddress = NameTable(["server_url"])

    /// A member `tools`; whatever else than a list stands there is only counted.
    mutating func readTools(_ key: JSONText, _ scanner: inout JSONScanner) throws(JSONScanError) {
        guard try scanner.kind() == .array else { return try readOther(key, &scanner) }
        takeName(key)
        try readToolList(&scanner)
    }

    mutating func readToolList(_ scanner: inout JSONScanner) throws(JSONScanError) {
        takeText(2)
        var isFirst = true
        try scanner.beginArray()
        while try scanner.nextElement() {
            if !isFirst { takeText(1) }
            isFirst = false
            var tool = RequestedTool(form)
            switch try scanner.kind() {
            case .object: try readTool(&tool, &scanner)
            case .string: tool.take(type: try readWord(&scanner), in: body)
            case .null: takeText(Int64(try scanner.skip().count))
            case .array, .number, .bool:
                try read(&scanner, .data)
                tool.takeUnreadable("tools")
            }
            tool.finish(in: body)
            note(tool)
        }
    }

    private mutating func readTool(_ tool: inout RequestedTool, _ scanner: inout JSONScanner) throws(JSONScanError) {
        takeText(2)
        var isFirst = true
        var isOff = false
        defer { if isOff { tool.switchOff() } }
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            if !isFirst { takeText(1) }
            isFirst = false
            takeName(key)
            let kind = try scanner.kind()
            switch kind {
            case .null: try read(&scanner, .data)
            case _ where key.equals("type", in: body):
                guard kind == .string else {
                    tool.takeUnreadable("type")
                    try read(&scanner, .data)
                    continue
                }
                tool.take(type: try readWord(&scanner), in: body)
            // A namespace of Responses.
            case .array where key.equals("tools", in: body): try readToolList(&scanner)
            case .object where key.equals("web_search", in: body):
                if try saysOff(scanner, "enable", "false") { isOff = true }
                tool.take(member: key, in: body)
                try read(&scanner, .data)
            case .object where key.equals("systemTool", in: body):
                try lookAtSystemTool(&tool, key, scanner)
                try read(&scanner, .data)
            case .string where InputReader.serverAddress.match(key, in: body) != .none:
                tool.takeAddress()
                let address = try readWord(&scanner)
                if MediaAddress(address, in: body) != .web { refuse(address: address) }
            case .string where key.equals("server_label", in: body):
                tool.take(member: key, in: body)
                var ahead = scanner
                if RequestedTool.isOwnLabel(try ahead.string(), in: body) {
                    tool.take(restricted: try RestrictedMember.asked(key, in: "tools", scanner, body))
                }
                _ = try readWord(&scanner)
            case .string where key.equals("model", in: body):
                tool.take(member: key, in: body)
                tool.take(model: try readWord(&scanner), in: body)
            default:
                tool.take(member: key, in: body)
                try read(&scanner, .data)
            }
        }
    }

    /// Amazon's own tools: its search is sold as one, and nothing counts the others.
    private func lookAtSystemTool(
        _ tool: inout RequestedTool, _ key: JSONText, _ scanner: JSONScanner
    ) throws(JSONScanError) {
        var ahead = scanner
        var isSearch = false
        try ahead.beginObject()
        while let key = try ahead.nextKey() {
            guard try ahead.kind() == .string, key.equals("name", in: body) else {
                try ahead.skip()
                continue
            }
            let name = try ahead.string()
            isSearch = name.equals("nova_grounding", in: body)
            if !isSearch { tool.takeUnreadable(RequestedTool.shown(name, in: body)) }
        }
        if isSearch { tool.take(member: key, in: body) } else { tool.takeUnreadable("systemTool") }
    }

    private mutating func note(_ tool: RequestedTool) {
        features.formUnion(tool.features)
        restricted.formUnion(tool.restricted)
        if tool.isSilentSearch { searchesAlways = true }
        otherTool = otherTool ?? tool.refused
        if tool.features.contains(.outputPictures) { pictures.take(tool) }
    }

    // MARK: Switches

    /// A member that turns on what is sold by the call. Read for what it means, and left to be read as the text it is.
    /// Returns whether it turns on searches.
    mutating func readSwitch(
        _ role: SearchSwitch, _ key: JSONText, _ scanner: JSONScanner
    ) throws(JSONScanError) -> Bool {
        var ahead = scanner
        let kind = try ahead.kind()
        var asked: RequestedFeatures = []
        switch (role, kind) {
        case (_, .null): break
        case (.plugins, .array):
            try ahead.beginArray()
            while try ahead.nextElement() { asked.formUnion(try readPlugin(&ahead)) }
        case (.plugins, _): refuse("plugins")
        case (_, .bool):
            if try ahead.bool() { asked = .webSearch }
        case (.mode, .object): if try !saysOff(ahead, "mode", "\"off\"") { asked = .webSearch }
        case (.enable, .object): if try !saysOff(ahead, "enable", "false") { asked = .webSearch }
        case (.forced, .object): if try isForced(&ahead) { asked = .webSearch }
        case (.forced, _): break
        // Whatever some reader may take for true.
        case (.mode, _), (.presence, _), (.flag, _), (.enable, _): asked = .webSearch
        }
        features.formUnion(asked)
        return asked.contains(.webSearch)
    }

    private mutating func refuse(_ name: String) {
        features.insert(.otherTool)
        otherTool = otherTool ?? name
    }

    /// A plugin: its name, or an object with its `id`. Returns what it turns on of what plans can sell.
    private mutating func readPlugin(_ scanner: inout JSONScanner) throws(JSONScanError) -> RequestedFeatures {
        var asked: RequestedFeatures = []
        switch try scanner.kind() {
        case .string: asked = take(plugin: try scanner.string())
        case .object:
            var ids: [JSONText] = []
            let isOff = try saysOff(scanner, "enabled", "false")
            try scanner.beginObject()
            while let key = try scanner.nextKey() {
                let kind = try scanner.kind()
                if kind == .string, key.equals("id", in: body) {
                    ids.append(try scanner.string())
                } else {
                    try scanner.skip()
                }
            }
            if ids.isEmpty { refuse("plugins") }
            if !isOff { for id in ids { asked.formUnion(take(plugin: id)) } }
        case .null: try scanner.null()
        case .array, .number, .bool:
            try scanner.skip()
            refuse("plugins")
        }
        return asked
    }

    private mutating func take(plugin text: JSONText) -> RequestedFeatures {
        let name = RequestedTool.shown(text, in: body)
        switch AllowedTools.meaning(ofPlugin: name) {
        case .sold(let asked)?: return asked
        case .free?, .group?: return []
        case nil:
            refuse(name)
            return []
        }
    }

    /// Whether an object says under a name that something is off, in the one way that all readers take for that, and
    /// nothing else there: given twice, engines may read either.
    private func saysOff(
        _ scanner: JSONScanner, _ name: StaticString, _ off: StaticString
    ) throws(JSONScanError) -> Bool {
        var ahead = scanner
        var isOff: Bool?
        try ahead.beginObject()
        while let key = try ahead.nextKey() {
            let isNamed = key.equals(name, in: body)
            let value = try ahead.skip()
            if isNamed { isOff = body.equals(off, in: value) && isOff ?? true }
        }
        return isOff ?? false
    }

    /// Whether an object's `forced_search` is anything but false.
    private func isForced(_ scanner: inout JSONScanner) throws(JSONScanError) -> Bool {
        var isForced = false
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
            guard key.equals("forced_search", in: body) || key.equals("force_search", in: body) else {
                try scanner.skip()
                continue
            }
            switch try scanner.kind() {
            case .bool: isForced = try scanner.bool() || isForced
            case .null: try scanner.null()
            default:
                try scanner.skip()
                isForced = true
            }
        }
        return isForced
    }
}

/// How a member turns on a search that is sold by the call.
enum SearchSwitch: Sendable {
    /// By being there (`web_search_options`).
    case presence
    /// Unless its `mode` is `off` (xAI's `search_parameters`).
    case mode
    /// By being true (Alibaba's `enable_search`).
    case flag
    /// The same, or an object unless its `enable` is false (Zhipu, Baidu).
    case enable
    /// By options of a search that say that it is to be made (Alibaba's `search_options.forced_search`).
    case forced
    /// A list of what to turn on (OpenRouter's `plugins`).
    case plugins
}
