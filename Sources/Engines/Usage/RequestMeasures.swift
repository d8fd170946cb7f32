/// What a request by itself says of how much its answer comes to beside tokens: what stands in where the engine says
/// nothing, so that nobody chooses a form of answer that costs nothing.
public struct RequestMeasures: Hashable, Sendable {
    /// Pictures asked for.
    public var images: Int64 = 0
    /// Characters to be read out.
    public var characters: Int64 = 0
    /// Documents to be ranked.
    public var documents: Int64 = 0
    /// Whether it asks for a search whatever the model thinks of it.
    public var searchesAlways = false
    /// Whether a search is among what it may use.
    public var asksForSearches = false
    /// How long the sound handed in plays; nil where there is none, or its format is not known.
    public var sound: SoundLength?
    /// The longest sound that so many bytes could hold.
    public var soundMillisecondsMax: Int64 = 0

    /// The most documents that one search ranks, as engines that sell searches count them.
    public static let documentsPerSearch: Int64 = 100

    /// Nothing known.
    public init(images: Int64 = 0, characters: Int64 = 0, documents: Int64 = 0, sound: SoundLength? = nil) {
        self.images = images
        self.characters = characters
        self.documents = documents
        self.sound = sound
    }

    /// A measure of a sound file.
    init(soundFile bytes: UnsafeRawBufferPointer) {
        self.init(sound: SoundFile.length(of: bytes))
        soundMillisecondsMax = SoundLength.millisecondsMax(inBytes: bytes.count)
    }

    /// Searches that the documents come to: one at least.
    var searches: Int64 {
        max(1, (documents + RequestMeasures.documentsPerSearch - 1) / RequestMeasures.documentsPerSearch)
    }
}
