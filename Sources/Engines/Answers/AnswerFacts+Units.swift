internal import Metering

extension AnswerFacts {
    /// Who says how long an answer ran on hardware.
    enum HardwareTime: Hashable, Sendable {
        /// The engine, if it did.
        case measured
        /// Its beginning and end, though they be the same.
        case estimated
        /// Nobody: it began, and nobody says when it ended.
        case unknown
    }

    /// What an answer came to beside tokens, and who says so.
    struct UnitReading {
        var units = UsageUnits()
        var notes = RecordNotes()
        /// Nil where nobody says anything.
        var source: UsageSource?
    }

    /// An engine's length of a sound is taken that differs from the file's by no more than a tenth and this: some round
    /// up to whole seconds, some cut silence off.
    static let soundToleranceMilliseconds: Int64 = 1000

    /// The units of the answer. `hasTokens`: the engine counted in tokens, so that what it leaves out is not owed.
    func readUnits(
        of operation: Operation, request: RequestMeasures, hasTokens: Bool, isCut: Bool
    ) -> UnitReading {
        var reading = UnitReading(units: saidUnits)
        if operation == .imageGeneration { reading.units.images = max(reading.units.images, items - itemsFailed) }
        if isCut, isPictureBegun { reading.units.images += 1 }
        if !reading.units.isEmpty { reading.source = .engine }
        // Beside tokens, characters are information.
        reading.units.characters = max(reading.units.characters, request.characters)
        if rules.searchesWhenAsked, request.searchesAlways, reading.units.searches == 0 {
            reading.units.searches = 1
            reading.source = reading.source ?? .counted
        }
        // Pages that an answer cites were found by a search, where one was among its tools.
        if request.asksForSearches, showsSources, reading.units.searches == 0 {
            reading.units.searches = 1
            reading.source = reading.source ?? .counted
        }
        guard !hasTokens else { return reading }
        switch operation {
        case .imageGeneration: readPictures(request, isCut: isCut, into: &reading)
        case .transcription: readSound(request, into: &reading)
        case .speech: if request.characters > 0, reading.source == nil { reading.source = .counted }
        case .rerank:
            guard reading.units.searches == 0 else { break }
            reading.units.searches = request.searches
            reading.source = .counted
        case .chat, .textCompletion, .embeddings, .generateContent, .prediction, .countTokens, .batch: break
        }
        return reading
    }

    private var saidUnits: UsageUnits {
        var units = self.units
        if let inside = usage?.units, !inside.isEmpty { units.raise(to: inside) }
        units.images = max(units.images, written.media.pictures)
        return units
    }

    /// Pictures that came, else those asked for where the answer has no place that shows them. Of a stream that was cut
    /// the picture that was being shown is one.
    private func readPictures(_ request: RequestMeasures, isCut: Bool, into reading: inout UnitReading) {
        let asked = max(1, request.images)
        if isCut {
            // The one that was coming, whether anything of it was seen or not.
            guard reading.units.images < asked else { return }
            reading.units.images += 1
            reading.source = .counted
        } else if reading.units.images == 0 {
            reading.units.images = hasItems ? 0 : asked
            reading.source = .counted
        }
    }

    /// The engine's length of the sound where the file's own bytes do not speak against it. A length longer than the
    /// file says is believed as far as its bytes can hold it: the engine has heard it.
    private func readSound(_ request: RequestMeasures, into reading: inout UnitReading) {
        guard let sound = request.sound else { return }
        let said = reading.units.audioMilliseconds
        let tolerance = sound.milliseconds / 10 + AnswerFacts.soundToleranceMilliseconds
        guard said <= 0 || said < sound.milliseconds - tolerance || said > request.soundMillisecondsMax else {
            if said > sound.milliseconds + tolerance { reading.notes.insert(.mediaImplausible) }
            return
        }
        // A negative one contradicts itself, and says so.
        guard said >= 0 else { return }
        reading.units.audioMilliseconds = sound.milliseconds
        reading.source = .counted
        if said > 0 { reading.notes.insert(.usageImplausible) }
        if sound.isDisputed { reading.notes.insert(.mediaImplausible) }
    }
}
